import { TcgError } from './error.ts'
import { OBJECT_ATTRIBUTES, type EccPublic, type TpmPublic } from './public.ts'

const REQUIRED = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const
const FORBIDDEN = ['decrypt', 'encryptedDuplication', 'x509sign'] as const

/** A P-256 key that signs, with ECDSA and SHA-256, nothing but what its TPM made. */
export interface AttestationKey extends EccPublic {
  readonly curve: 'P-256'
  readonly nameAlgorithm: 'sha256'
  readonly ecdsaHash: 'sha256'
}

/**
 * Returns the key where it may be an attestation key: restricted, so that it never signs a forged TPMS_ATTEST; fixedTPM,
 * fixedParent and sensitiveDataOrigin, so that it exists in one TPM only; for signing and nothing else.
 *
 * Says nothing about which TPM it is in: that is what credential activation proves.
 *
 * @throws TcgError `AK_TYPE`, `AK_SCHEME`, `AK_ATTRIBUTES`
 */
export function requireAttestationKey(key: TpmPublic): AttestationKey {
  const { nameAlgorithm, ecdsaHash } = key
  if (key.type !== 'ecc' || key.curve !== 'P-256') {
    throw new TcgError('AK_TYPE', `expected a P-256 key, found ${key.type === 'ecc' ? key.curve : key.type}`)
  }
  const { curve } = key
  if (nameAlgorithm !== 'sha256') throw new TcgError('AK_TYPE', `expected names by SHA-256, found ${nameAlgorithm}`)
  if (ecdsaHash !== 'sha256') {
    throw new TcgError('AK_SCHEME', `expected ECDSA with SHA-256, found ${ecdsaHash ?? 'no scheme'}`)
  }
  if (key.aesBits !== 0) throw new TcgError('AK_SCHEME', 'expected no symmetric algorithm')
  const missing = REQUIRED.filter((name) => (key.attributes & OBJECT_ATTRIBUTES[name]) === 0)
  if (missing.length > 0) throw new TcgError('AK_ATTRIBUTES', `the key is not ${missing.join(', ')}`)
  const forbidden = FORBIDDEN.filter((name) => (key.attributes & OBJECT_ATTRIBUTES[name]) !== 0)
  if (forbidden.length > 0) throw new TcgError('AK_ATTRIBUTES', `the key must not be ${forbidden.join(', ')}`)
  return { ...key, curve, nameAlgorithm, ecdsaHash }
}
