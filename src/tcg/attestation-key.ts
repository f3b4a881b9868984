import { toHex } from '../core/bytes.ts'
import { TcgError } from './error.ts'
import { isP256Point } from './p256.ts'
import { OBJECT_ATTRIBUTES, type EccPublic, type RsaPublic, type TpmPublic } from './public.ts'

const REQUIRED = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const
/** How its use is authorised, and whether a wrong authorisation counts towards a lockout, is its owner's business. */
const TOLERATED = ['userWithAuth', 'adminWithPolicy', 'noDA'] as const

/** A key that signs, with SHA-256, nothing but what its TPM made: by ECDSA on P-256, or by RSASSA with 2048 bits. */
export type AttestationKey = EccAttestationKey | RsaAttestationKey

export interface EccAttestationKey extends EccPublic {
  readonly curve: 'P-256'
  readonly nameAlgorithm: 'sha256'
  readonly scheme: { readonly algorithm: 'ecdsa'; readonly hash: 'sha256' }
}

export interface RsaAttestationKey extends RsaPublic {
  readonly bits: 2048
  readonly nameAlgorithm: 'sha256'
  readonly scheme: { readonly algorithm: 'rsassa'; readonly hash: 'sha256' }
}

/**
 * Returns the key where it may be an attestation key: restricted, so that it never signs a forged TPMS_ATTEST; fixedTPM,
 * fixedParent and sensitiveDataOrigin, so that it exists in one TPM only; for signing and nothing else; a point of its curve, or
 * an odd modulus. The ledger (contracts/src/TpmQuote.sol) takes the same keys.
 *
 * Says nothing about which TPM it is in: that is what credential activation proves.
 *
 * @throws TcgError `AK_TYPE`, `AK_SCHEME`, `AK_VALUE`, `AK_ATTRIBUTES`
 */
export function requireAttestationKey(key: TpmPublic): AttestationKey {
  const ak = key.type === 'ecc' ? requireEcc(key) : requireRsa(key)
  requireAttributes(key.attributes)
  return ak
}

function requireEcc(key: EccPublic): EccAttestationKey {
  const { curve, x, y } = key
  if (curve !== 'P-256') throw new TcgError('AK_TYPE', `expected a P-256 key, found ${curve}`)
  const ak = { ...key, curve, nameAlgorithm: requireNames(key), scheme: requireScheme(key, 'ecdsa') }
  if (!isP256Point(BigInt(toHex(x)), BigInt(toHex(y)))) {
    throw new TcgError('AK_VALUE', 'the attestation key is no point of P-256')
  }
  return ak
}

function requireRsa(key: RsaPublic): RsaAttestationKey {
  const { bits } = key
  if (bits !== 2048) throw new TcgError('AK_TYPE', `expected an RSA-2048 key, found RSA-${bits}`)
  const ak = { ...key, bits, nameAlgorithm: requireNames(key), scheme: requireScheme(key, 'rsassa') }
  if ((key.modulus.at(-1) ?? 0) % 2 === 0) throw new TcgError('AK_VALUE', 'the attestation key’s modulus is even')
  return ak
}

function requireNames({ nameAlgorithm }: TpmPublic): 'sha256' {
  if (nameAlgorithm !== 'sha256') throw new TcgError('AK_TYPE', `expected names by SHA-256, found ${nameAlgorithm}`)
  return nameAlgorithm
}

function requireScheme<Algorithm extends 'ecdsa' | 'rsassa'>(
  { scheme, aesBits }: TpmPublic,
  algorithm: Algorithm,
): { readonly algorithm: Algorithm; readonly hash: 'sha256' } {
  if (scheme?.algorithm !== algorithm || scheme.hash !== 'sha256') {
    throw new TcgError('AK_SCHEME', `expected ${algorithm} with SHA-256, found ${scheme?.hash ?? 'no scheme'}`)
  }
  if (aesBits !== 0) throw new TcgError('AK_SCHEME', 'expected no symmetric algorithm')
  return { algorithm, hash: scheme.hash }
}

function requireAttributes(attributes: number): void {
  const missing = REQUIRED.filter((name) => (attributes & OBJECT_ATTRIBUTES[name]) === 0)
  if (missing.length > 0) throw new TcgError('AK_ATTRIBUTES', `the key is not ${missing.join(', ')}`)
  const allowed = [...REQUIRED, ...TOLERATED].reduce((all, name) => all | OBJECT_ATTRIBUTES[name], 0)
  const forbidden = (attributes & ~allowed) >>> 0
  if (forbidden !== 0) throw new TcgError('AK_ATTRIBUTES', `the key must not have 0x${forbidden.toString(16)}`)
}
