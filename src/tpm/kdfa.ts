import { createHash, createHmac } from 'node:crypto'
import { Writer } from '../core/writer.ts'
import { NAME_HASHES, type NameHash } from '../tcg/public.ts'

/**
 * Derives a key of at most as many bits as the hash has: KDFa, a counter-mode KDF with HMAC (TPM 2.0 Part 1, 11.4.10.2; NIST SP
 * 800-108). The one block that it gives has the counter 1.
 *
 * @param label without a terminating zero, which is added
 * @param bits whole bytes
 */
export function kdfa(
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
  hash: NameHash = 'sha256',
): Uint8Array {
  requireBits(bits, hash)
  const input = new Writer()
    .u32(1)
    .bytes(new TextEncoder().encode(`${label}\0`))
    .bytes(contextU)
    .bytes(contextV)
    .u32(bits)
    .finish()
  return Uint8Array.from(
    createHmac(hash, key)
      .update(input)
      .digest()
      .subarray(0, bits / 8),
  )
}

/**
 * Derives a seed from what an ECDH gave: KDFe, the KDF of NIST SP 800-56A in its one block (TPM 2.0 Part 1, 11.4.10.3).
 *
 * @param z the shared point's x
 * @param label without a terminating zero, which is added
 * @param partyU x of the ephemeral key
 * @param partyV x of the TPM's key
 */
export function kdfe(
  z: Uint8Array,
  label: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
  bits: number,
  hash: NameHash,
): Uint8Array {
  requireBits(bits, hash)
  const input = new Writer()
    .u32(1)
    .bytes(z)
    .bytes(new TextEncoder().encode(`${label}\0`))
    .bytes(partyU)
    .bytes(partyV)
    .finish()
  return Uint8Array.from(
    createHash(hash)
      .update(input)
      .digest()
      .subarray(0, bits / 8),
  )
}

function requireBits(bits: number, hash: NameHash): void {
  const most = NAME_HASHES[hash].length * 8
  if (bits % 8 !== 0 || bits > most) throw new RangeError(`expected whole bytes up to ${most} bits, found ${bits} bits`)
}
