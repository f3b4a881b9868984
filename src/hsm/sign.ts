import pkcs11js, { type Handle } from 'pkcs11js'
import { type Hex, concat, equal, toHex } from '../core/bytes.ts'
import { Pkcs11Error } from './error.ts'
import { recover } from './recover.ts'
import type { Token } from './token.ts'

const DIGEST_BYTES = 32
/** The order of secp256k1 (SEC 2, 2.4.1). */
const N = 0xffffffff_ffffffff_ffffffff_fffffffe_baaedce6_af48a03b_bfd25e8c_d0364141n

/**
 * Signs a digest and verifies the signature against the key's public half before it is used for anything.
 *
 * @param digest 32 bytes; the mechanism itself would take other lengths
 * @returns r ‖ s ‖ v, 65 bytes, with s ≤ N/2 and v 27 or 28
 * @throws Pkcs11Error ARGUMENT_INVALID, SIGNATURE_WRONG
 */
export function sign(
  token: Token,
  { handle, publicKey }: { readonly handle: Handle; readonly publicKey: Uint8Array },
  digest: Uint8Array,
): Hex {
  if (digest.length !== DIGEST_BYTES) {
    throw new Pkcs11Error('ARGUMENT_INVALID', `expected a digest of ${DIGEST_BYTES} bytes, found ${digest.length}`)
  }
  token.call('C_SignInit', (pkcs11, session) => pkcs11.C_SignInit(session, { mechanism: pkcs11js.CKM_ECDSA }, handle))
  const raw = token.call('C_Sign', (pkcs11, session) => pkcs11.C_Sign(session, Buffer.from(digest), Buffer.alloc(64)))
  if (raw.length !== 64) throw wrong(`has ${raw.length} bytes, expected 64`)

  const signature = concat(raw.subarray(0, 32), lower(raw.subarray(32)))
  for (const parity of [0, 1] as const) {
    const signer = recover(signature, parity, digest)
    if (signer !== undefined && equal(signer, publicKey)) return toHex(concat(signature, Uint8Array.of(27 + parity)))
  }
  throw wrong('is not by the key that signed')
}

/** Of the two s that make a valid signature, the one up to N/2 (EIP-2). */
function lower(s: Uint8Array): Uint8Array {
  const value = BigInt(toHex(s))
  return value <= N / 2n ? s : Buffer.from((N - value).toString(16).padStart(64, '0'), 'hex')
}

function wrong(what: string): Pkcs11Error {
  return new Pkcs11Error('SIGNATURE_WRONG', `the signature ${what}`)
}
