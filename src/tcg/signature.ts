import { concat, toHex } from '../core/bytes.ts'
import type { Reader } from '../core/reader.ts'
import { TPM_ALG } from './algorithm.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'
import { lowS, P256_ORDER } from './p256.ts'

const SCALAR = 32
const RSA = 256

/**
 * A TPM's signature in the one form in which it is verified and submitted: by ECDSA on P-256 r ‖ s, 64 bytes, s at most half the
 * group's order; by RSASSA with 2048 bits 256 bytes. A TPM leaves out leading zeros and gives s of either half: both are made up for.
 *
 * @param bytes a TPMT_SIGNATURE with SHA-256 (TPM 2.0 Part 2, 11.3.4); untrusted
 * @throws TcgError `MALFORMED`, `SIGNATURE_UNSUPPORTED`, `SIGNATURE_VALUE`
 */
export function decodeSignature(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return decodeWhole('TPMT_SIGNATURE', bytes, (reader) => {
    const [scheme, hash] = [reader.u16(), reader.u16()]
    if (hash === TPM_ALG.SHA256 && scheme === TPM_ALG.ECDSA) return readEcdsa(reader)
    if (hash === TPM_ALG.SHA256 && scheme === TPM_ALG.RSASSA) return readRsassa(reader)
    const found = `0x${scheme.toString(16)} with 0x${hash.toString(16)}`
    throw new TcgError('SIGNATURE_UNSUPPORTED', `expected ECDSA or RSASSA with SHA-256, found ${found}`)
  })
}

function readEcdsa(reader: Reader): Uint8Array<ArrayBuffer> {
  const [r, s] = [readScalar(reader), readScalar(reader)]
  return concat(scalarBytes(r), scalarBytes(lowS(s)))
}

function readScalar(reader: Reader): bigint {
  const scalar = BigInt(toHex(Uint8Array.of(0, ...reader.sized16(SCALAR))))
  if (scalar === 0n || scalar >= P256_ORDER) {
    throw new TcgError('SIGNATURE_VALUE', 'the signature is not within its group')
  }
  return scalar
}

function readRsassa(reader: Reader): Uint8Array<ArrayBuffer> {
  const signature = reader.sized16(RSA)
  const padded = new Uint8Array(RSA)
  padded.set(signature, RSA - signature.length)
  return padded
}

function scalarBytes(scalar: bigint): Uint8Array {
  const bytes = new Uint8Array(SCALAR)
  for (let i = SCALAR - 1, rest = scalar; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return bytes
}
