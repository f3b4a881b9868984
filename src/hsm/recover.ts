/** How a public key is recovered from a signature. */
export interface Recovery {
  /** `native`: libsecp256k1 as an addon. `wasm`: the same library where the addon does not load; four times slower. */
  readonly kind: 'native' | 'wasm'
  /**
   * Recovers the key that made a signature on secp256k1 (SEC 1, 4.1.6).
   *
   * @param signature r ‖ s, 64 bytes, untrusted
   * @param parity 0 or 1: which of the two points with this r
   * @param digest 32 bytes
   * @returns the uncompressed point, 65 bytes; undefined where no key made it
   */
  readonly recover: (signature: Uint8Array, parity: 0 | 1, digest: Uint8Array) => Uint8Array | undefined
}

/** The addon where it loads. @throws whatever keeps it from loading */
export async function nativeRecovery(): Promise<Recovery> {
  // Never the package itself: where the addon does not load it takes a slow implementation of its own, without a word.
  const { default: secp256k1 } = await import('secp256k1/bindings.js')
  return {
    kind: 'native',
    recover: (signature, parity, digest) => orNone(() => secp256k1.ecdsaRecover(signature, parity, digest, false)),
  }
}

/** The same library as WebAssembly. */
export async function wasmRecovery(): Promise<Recovery> {
  const { recover } = await import('tiny-secp256k1')
  return {
    kind: 'wasm',
    recover: (signature, parity, digest) => orNone(() => recover(digest, signature, parity, false) ?? undefined),
  }
}

/** What this machine has. */
export const { recover } = await nativeRecovery().catch(wasmRecovery)

function orNone(attempt: () => Uint8Array | undefined): Uint8Array | undefined {
  try {
    return attempt()
  } catch {
    // No point has this r, or r or s is out of range.
    return undefined
  }
}
