import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { toHex, type Hex } from '../core/bytes.ts'
import { sha256 } from '../tcg/hash.ts'

/** A parsed X.509 certificate: what path validation needs of it. Untrusted until a path to a trust anchor was found. */
export interface Certificate {
  /** SHA-256 of the DER. */
  readonly fingerprint: Hex
  readonly subject: string
  readonly issuer: string
  /** DER of the names, for comparison. */
  readonly subjectName: Hex
  readonly issuerName: Hex
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Uint8Array
  /** Undefined where it may issue nothing; else how many intermediates may follow, undefined for any number. */
  readonly authority: { readonly pathLength: number | undefined } | undefined
  /** Undefined where the extension is absent. */
  readonly keyUsage:
    { readonly keyEncipherment: boolean; readonly keyAgreement: boolean; readonly keyCertSign: boolean } | undefined
  /** Object identifiers; undefined where the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Object identifiers of critical extensions that nothing here processes. */
  readonly unprocessed: readonly string[]
  /** Whether signature and key are of the allowed algorithms: SHA-2, RSA from 2048 bits on, a NIST curve. */
  readonly strong: boolean
  /** What subjectAltName says of a TPM (TCG EK Credential Profile, "Subject Alternative Name"), as it stands: `id:` and the vendor's id; the model. */
  readonly tpm: { readonly manufacturers: readonly string[]; readonly models: readonly string[] }
  /** Whether the signature was made by a key, given as its SubjectPublicKeyInfo. Not whether that key was allowed to. */
  isSignedBy(publicKeyInfo: Uint8Array): Promise<boolean>
}

const MAX_DER = 16384
/** The extensions that are processed, whether critical or not. */
const EXTENSIONS = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  // Nothing to do where no policy is asked for (RFC 5280, section 6.1.1, initial-explicit-policy unset).
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
}
const TPM_ATTRIBUTES = { manufacturer: '2.23.133.2.1', model: '2.23.133.2.2' }
const DIRECTORY_NAME = 0xa4
const HASHES = ['SHA-256', 'SHA-384', 'SHA-512']
const CURVES = ['P-256', 'P-384', 'P-521']
const MIN_RSA_BITS = 2048

/**
 * Parses a certificate.
 *
 * @param der untrusted; at most 16 KiB, without trailing bytes
 * @throws Error of any kind where it is not one, or carries an extension twice; for the caller to word
 */
export function parseCertificate(der: Uint8Array): Certificate {
  requireWhole(der)
  const source = new x509.X509Certificate(Uint8Array.from(der))
  const extensions = Array.from(source.extensions)
  requireDistinct(extensions.map(({ type }) => type))
  return {
    fingerprint: toHex(sha256(der)),
    subject: source.subject,
    issuer: source.issuer,
    subjectName: toHex(new Uint8Array(source.subjectName.toArrayBuffer())),
    issuerName: toHex(new Uint8Array(source.issuerName.toArrayBuffer())),
    notBefore: source.notBefore,
    notAfter: source.notAfter,
    publicKeyInfo: new Uint8Array(source.publicKey.rawData),
    authority: authorityOf(source),
    keyUsage: keyUsageOf(source),
    extendedKeyUsage: extendedKeyUsageOf(source),
    unprocessed: extensions.filter(isUnprocessed).map(({ type }) => type),
    strong: isStrong(source.signatureAlgorithm) && isStrongKey(source.publicKey.algorithm),
    tpm: {
      manufacturers: alternativeNames(source, TPM_ATTRIBUTES.manufacturer),
      models: alternativeNames(source, TPM_ATTRIBUTES.model),
    },
    isSignedBy: (publicKeyInfo) => isSignedBy(source, publicKeyInfo),
  }
}

function requireWhole(der: Uint8Array): void {
  // SEQUENCE with a two-byte length: every real certificate is longer than 255 bytes.
  const length = ((der[2] ?? 0) << 8) | (der[3] ?? 0)
  if (der.length > MAX_DER || der[0] !== 0x30 || der[1] !== 0x82 || der.length !== length + 4) {
    throw new RangeError(`expected one DER certificate of at most ${MAX_DER} bytes, found ${der.length} bytes`)
  }
}

function requireDistinct(extensions: readonly string[]): void {
  if (new Set(extensions).size !== extensions.length)
    throw new RangeError('an extension stands twice in the certificate')
}

function authorityOf(source: x509.X509Certificate): Certificate['authority'] {
  const constraints = source.getExtension(x509.BasicConstraintsExtension)
  return constraints?.ca === true ? { pathLength: constraints.pathLength } : undefined
}

function keyUsageOf(source: x509.X509Certificate): Certificate['keyUsage'] {
  const usages = source.getExtension(x509.KeyUsagesExtension)?.usages
  if (usages === undefined) return undefined
  const has = (flag: x509.KeyUsageFlags) => (usages & flag) !== 0
  return {
    keyEncipherment: has(x509.KeyUsageFlags.keyEncipherment),
    keyAgreement: has(x509.KeyUsageFlags.keyAgreement),
    keyCertSign: has(x509.KeyUsageFlags.keyCertSign),
  }
}

function isUnprocessed({ critical, type }: x509.Extension): boolean {
  return critical && !Object.values(EXTENSIONS).includes(type)
}

function isStrong({ name, hash }: { readonly name: string; readonly hash?: { readonly name: string } }): boolean {
  return /^(?:RSASSA-PKCS1-v1_5|RSA-PSS|ECDSA)$/.test(name) && hash !== undefined && HASHES.includes(hash.name)
}

function isStrongKey(
  algorithm: Algorithm & { readonly modulusLength?: number; readonly namedCurve?: string },
): boolean {
  return (algorithm.modulusLength ?? 0) >= MIN_RSA_BITS || CURVES.includes(algorithm.namedCurve ?? '')
}

function extendedKeyUsageOf(source: x509.X509Certificate): Certificate['extendedKeyUsage'] {
  const extension = source.getExtension(x509.ExtendedKeyUsageExtension)
  return extension === null ? undefined : Array.from(extension.usages, String)
}

function alternativeNames(source: x509.X509Certificate, attribute: string): readonly string[] {
  const names = source.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
  return Array.from(names, ({ rawData }) => new Uint8Array(rawData))
    .filter(([tag]) => tag === DIRECTORY_NAME)
    .flatMap((name) => new x509.Name(explicitValue(name)).toJSON())
    .flatMap((rdn) => rdn[attribute] ?? [])
}

/** What stands behind an explicit tag and its DER length. */
function explicitValue(der: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const length = der[1] ?? 0
  return der.slice(length < 0x80 ? 2 : 2 + (length & 0x7f))
}

async function isSignedBy(source: x509.X509Certificate, publicKeyInfo: Uint8Array): Promise<boolean> {
  try {
    const publicKey = new x509.PublicKey(Uint8Array.from(publicKeyInfo))
    return await source.verify({ publicKey, signatureOnly: true }, crypto)
  } catch {
    // A signature that has no form at all is no signature.
    return false
  }
}
