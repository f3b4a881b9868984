import { concat, toHex } from '../core/bytes.ts'
import type { Reader } from '../core/reader.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { lowS, P256_ORDER } from '../tcg/p256.ts'
import { TpmError } from './error.ts'

const SCALAR_BYTES = 32

/**
 * Reads a TPMT_SIGNATURE of ECDSA with SHA-256 (TPM 2.0 Part 2, 11.3.4) to its end. A TPM leaves out leading zeros and
 * gives s of either half: both are made up for, so that each signature has one form.
 *
 * @returns r ‖ s, 64 bytes, s at most half the group's order
 * @throws TpmError `RESPONSE_UNEXPECTED`
 */
export function readEcdsaSignature(reader: Reader): Uint8Array {
  const [scheme, hash] = [reader.u16(), reader.u16()]
  if (scheme !== TPM_ALG.ECDSA || hash !== TPM_ALG.SHA256) {
    throw new TpmError('RESPONSE_UNEXPECTED', `expected a signature by ECDSA with SHA-256, found ${scheme}, ${hash}`)
  }
  const r = readScalar(reader)
  const s = readScalar(reader)
  reader.end('TPMT_SIGNATURE')
  return concat(toBytes(r), toBytes(lowS(s)))
}

function readScalar(reader: Reader): bigint {
  const scalar = BigInt(toHex(Uint8Array.of(0, ...reader.sized16(SCALAR_BYTES))))
  if (scalar === 0n || scalar >= P256_ORDER)
    throw new TpmError('RESPONSE_UNEXPECTED', 'the signature is not within its group')
  return scalar
}

function toBytes(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR_BYTES)
  for (let i = SCALAR_BYTES - 1, rest = scalar; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}
