import { hash } from 'node:crypto'
import { concat } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { decodePublic, NAME_HASHES } from '../tcg/public.ts'

const SHA256_ID = Uint8Array.of(0x00, 0x0b)
const TPM_RH_ENDORSEMENT = Uint8Array.of(0x40, 0x00, 0x00, 0x0b)

/**
 * The name of a key whose nameAlg is SHA-256: 34 bytes (TPM 2.0 Part 1, "Names"). As in tcg/, but by Node's own hash:
 * a device process loads as little code as it can.
 *
 * @param tpmtPublic not looked at
 */
export function sha256Name(tpmtPublic: Uint8Array): Uint8Array<ArrayBuffer> {
  return digestName(tpmtPublic)
}

/**
 * The name of any key by its own name algorithm: 34, 50 or 66 bytes.
 *
 * @param tpmtPublic untrusted
 * @throws TcgError where it cannot be decoded
 */
export function keyName(tpmtPublic: Uint8Array): Uint8Array<ArrayBuffer> {
  const { nameAlgorithm } = decodePublic(tpmtPublic)
  const id = new Writer().u16(NAME_HASHES[nameAlgorithm].algorithm).finish()
  return concat(id, hash(nameAlgorithm, tpmtPublic, 'buffer'))
}

/** The qualified name of a primary key in the endorsement hierarchy, by its name. */
export function endorsementQualifiedName(name: Uint8Array): Uint8Array<ArrayBuffer> {
  return digestName(concat(TPM_RH_ENDORSEMENT, name))
}

function digestName(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(SHA256_ID, hash('sha256', bytes, 'buffer'))
}
