import { X509Certificate } from 'node:crypto'
import { TcgError } from '../tcg/error.ts'
import { decodePublic, type TpmPublic } from '../tcg/public.ts'

/**
 * Whether a public area's key is the one of a certificate. Who has signed the certificate is not looked at.
 *
 * @param area TPMT_PUBLIC, untrusted
 * @param certificate DER, untrusted
 * @returns undefined where OpenSSL cannot read the certificate's key: an RSA key that is bound to OAEP, for example
 */
export function isCertifiedKey(area: Uint8Array, certificate: Uint8Array): boolean | undefined {
  const certified = keyOf(certificate)
  return certified && sameKey(decoded(area), certified)
}

function decoded(area: Uint8Array): TpmPublic | undefined {
  try {
    return decodePublic(area)
  } catch (error) {
    if (error instanceof TcgError) return undefined
    throw error
  }
}

function keyOf(certificate: Uint8Array): JsonWebKey | undefined {
  try {
    return new X509Certificate(certificate).publicKey.export({ format: 'jwk' })
  } catch {
    return undefined
  }
}

function sameKey(key: TpmPublic | undefined, { n, x, y }: JsonWebKey): boolean {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  if (key === undefined) return false
  return key.type === 'rsa' ? n === text(key.modulus) : x === text(key.x) && y === text(key.y)
}
