import { concat } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { lowS, P256_ORDER } from '../tcg/p256.ts'
import { TpmError } from './error.ts'

const SCALAR_BYTES = 32
const WORD_BITS = 64n

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

/** In 64-bit words: by way of text it takes as long as the rest of a quote's answer. */
function readScalar(reader: Reader): bigint {
  const bytes = reader.sized16(SCALAR_BYTES)
  const padded = new Uint8Array(SCALAR_BYTES)
  padded.set(bytes, SCALAR_BYTES - bytes.length)
  const words = new Reader(padded)
  let scalar = 0n
  while (words.remaining > 0) scalar = (scalar << WORD_BITS) | words.u64()
  if (scalar === 0n || scalar >= P256_ORDER)
    throw new TpmError('RESPONSE_UNEXPECTED', 'the signature is not within its group')
  return scalar
}

function toBytes(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR_BYTES)
  const view = new DataView(bytes.buffer)
  for (let offset = SCALAR_BYTES - 8, rest = scalar; offset >= 0; offset -= 8, rest >>= WORD_BITS) {
    view.setBigUint64(offset, BigInt.asUintN(64, rest))
  }
  return bytes
}
