import { concat } from '../core/bytes.ts'
import { TcgError } from './error.ts'
import { digest, sha256 } from './hash.ts'
import { decodePublic, NAME_HASHES } from './public.ts'

const SHA256_ID = Uint8Array.of(0x00, 0x0b)
const TPM_RH_ENDORSEMENT = Uint8Array.of(0x40, 0x00, 0x00, 0x0b)

/**
 * A key's name: its name algorithm and the digest of its public area (TPM 2.0 Part 1, "Names"). 34 bytes.
 *
 * @param tpmtPublic untrusted
 * @throws TcgError where it cannot be decoded; `NAME_ALGORITHM` where its names are not made with SHA-256
 */
export function nameOf(tpmtPublic: Uint8Array): Uint8Array<ArrayBuffer> {
  const { nameAlgorithm } = decodePublic(tpmtPublic)
  if (nameAlgorithm !== 'sha256') throw new TcgError('NAME_ALGORITHM', `expected SHA-256, found ${nameAlgorithm}`)
  return concat(SHA256_ID, sha256(tpmtPublic))
}

/**
 * The SHA-256 part of `primaryQualifiedName`, 32 bytes: what the ledger keeps of a host's attestation key.
 *
 * @param akPublic untrusted
 * @throws TcgError as `nameOf`
 */
export function akQualifiedNameOf(akPublic: Uint8Array): Uint8Array<ArrayBuffer> {
  return primaryQualifiedName(akPublic).slice(SHA256_ID.length)
}

/**
 * The qualified name of a primary key in the endorsement hierarchy (TPM 2.0 Part 1, "Qualified Name"). 34 bytes.
 *
 * @param tpmtPublic untrusted
 * @throws TcgError as `nameOf`
 */
export function primaryQualifiedName(tpmtPublic: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(SHA256_ID, sha256(concat(TPM_RH_ENDORSEMENT, nameOf(tpmtPublic))))
}

/** The hierarchies in which a primary key may stand, by their handles (TPM 2.0 Part 2, 7.4). */
export const HIERARCHIES = { owner: 0x40000001, endorsement: 0x4000000b, platform: 0x4000000c } as const

/**
 * The qualified name of a key, whatever its name algorithm (TPM 2.0 Part 1, "Qualified Name").
 *
 * @param path the TPMT_PUBLICs from a primary key down to the key itself; untrusted
 * @throws TcgError where one cannot be decoded
 */
export function qualifiedName(hierarchy: keyof typeof HIERARCHIES, path: readonly Uint8Array[]): Uint8Array {
  const handle = new Uint8Array(4)
  new DataView(handle.buffer).setUint32(0, HIERARCHIES[hierarchy])
  return path.reduce<Uint8Array>((above, tpmtPublic) => {
    const { nameAlgorithm } = decodePublic(tpmtPublic)
    const { algorithm } = NAME_HASHES[nameAlgorithm]
    const id = Uint8Array.of(algorithm >> 8, algorithm & 0xff)
    const name = concat(id, digest(nameAlgorithm, tpmtPublic))
    return concat(id, digest(nameAlgorithm, concat(above, name)))
  }, handle)
}
