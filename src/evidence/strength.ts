import * as x509 from '@peculiar/x509'

const HASHES = ['SHA-256', 'SHA-384', 'SHA-512']
const CURVES = ['P-256', 'P-384', 'P-521']
const MIN_RSA_BITS = 2048

/** Whether a signature's algorithm is allowed: RSASSA-PKCS1-v1_5, RSASSA-PSS or ECDSA, with SHA-2. SHA-1 is not. */
export function isStrongSignature({
  name,
  hash,
}: {
  readonly name: string
  readonly hash?: { readonly name: string }
}): boolean {
  return /^(?:RSASSA-PKCS1-v1_5|RSA-PSS|ECDSA)$/.test(name) && hash !== undefined && HASHES.includes(hash.name)
}

/** Whether a key, given as its SubjectPublicKeyInfo, is allowed: RSA from 2048 bits on, or a NIST curve from P-256 on. */
export function isStrongKey(publicKeyInfo: Uint8Array): boolean {
  const algorithm: Algorithm & { readonly modulusLength?: number; readonly namedCurve?: string } = new x509.PublicKey(
    Uint8Array.from(publicKeyInfo),
  ).algorithm
  return (algorithm.modulusLength ?? 0) >= MIN_RSA_BITS || CURVES.includes(algorithm.namedCurve ?? '')
}
