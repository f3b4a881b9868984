import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { equal, toHex, type Hex } from '../core/bytes.ts'
import { sha256 } from '../tcg/hash.ts'
import { childrenOf, DER, readDer, tagged, wholeBytesOf, type DerValue } from './der.ts'
import { requireEcdsaValue } from './ecdsa-value.ts'
import { plainKeyInfo, rsaModulusOf } from './key-info.ts'
import { isStrongKey, isStrongSignature } from './strength.ts'
import { tpmNameOf, type TpmName } from './tpm-name.ts'
import { authorityKeyOf, decodeExtensions, extensionValue, type X509Extension } from './x509-extension.ts'

/** A parsed X.509 certificate: what path validation needs of it. Untrusted until a path to a trust anchor was found. */
export interface Certificate {
  /** SHA-256 of the DER. */
  readonly fingerprint: Hex
  readonly subject: string
  readonly issuer: string
  /** DER of the names, for comparison. */
  readonly subjectName: Hex
  readonly issuerName: Hex
  /** The INTEGER's bytes, as they stand. */
  readonly serialNumber: Hex
  readonly notBefore: Date
  readonly notAfter: Date
  /** SubjectPublicKeyInfo, DER; an RSA key that is bound to a scheme is given without it. */
  readonly publicKeyInfo: Uint8Array
  /** Undefined where the key is not RSA. */
  readonly rsaModulus: Uint8Array | undefined
  /** Undefined where it may issue nothing; else how many intermediates may follow, undefined for any number. */
  readonly authority: { readonly pathLength: number | undefined } | undefined
  /** Undefined where the extension is absent. */
  readonly keyUsage:
    | {
        readonly keyEncipherment: boolean
        readonly keyAgreement: boolean
        readonly keyCertSign: boolean
        readonly crlSign: boolean
      }
    | undefined
  /** Object identifiers; undefined where the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Undefined where the extension is absent. */
  readonly subjectKeyId: Hex | undefined
  /** What it says of its issuer's key. */
  readonly authorityKey: { readonly keyId?: Hex; readonly serialNumber?: Hex }
  /** Object identifiers of critical extensions that nothing here processes: name constraints, for example. */
  readonly unprocessed: readonly string[]
  /** Whether signature and key are of the allowed algorithms: SHA-2, RSA from 2048 bits on, a NIST curve. */
  readonly strong: boolean
  /** What subjectAltName says of a TPM. */
  readonly tpm: TpmName
  /** Whether the signature was made by a key, given as its SubjectPublicKeyInfo. Not whether that key was allowed to. */
  isSignedBy(publicKeyInfo: Uint8Array): Promise<boolean>
}

const MAX_DER = 16384
/** The extensions that are processed, whether critical or not. */
const EXTENSIONS = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  // Nothing to do where no policy is asked for (RFC 5280, section 6.1.1, initial-explicit-policy unset).
  certificatePolicies: '2.5.29.32',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
}

/**
 * Parses a certificate.
 *
 * @param der untrusted; at most 16 KiB, strict DER without trailing bytes
 * @throws Error of any kind where it is not one, carries an extension twice, or names two algorithms for its one signature; for
 * the caller to word
 */
export function parseCertificate(der: Uint8Array): Certificate {
  if (der.length > MAX_DER) throw new RangeError(`expected at most ${MAX_DER} bytes, found ${der.length}`)
  const { serialNumber, extensions, signature } = decodeCertificate(readDer(der))
  const source = new x509.X509Certificate(Uint8Array.from(der))
  if (source.signatureAlgorithm.name === 'ECDSA') requireEcdsaValue(signature)
  const publicKeyInfo = plainKeyInfo(new Uint8Array(source.publicKey.rawData))
  return {
    fingerprint: toHex(sha256(der)),
    subject: source.subject,
    issuer: source.issuer,
    subjectName: toHex(new Uint8Array(source.subjectName.toArrayBuffer())),
    issuerName: toHex(new Uint8Array(source.issuerName.toArrayBuffer())),
    serialNumber,
    notBefore: source.notBefore,
    notAfter: source.notAfter,
    publicKeyInfo,
    rsaModulus: rsaModulusOf(publicKeyInfo),
    authority: authorityOf(source),
    keyUsage: keyUsageOf(source),
    extendedKeyUsage: extendedKeyUsageOf(source),
    subjectKeyId: subjectKeyIdOf(extensions),
    authorityKey: authorityKeyOf(extensionValue(extensions, EXTENSIONS.authorityKeyIdentifier)),
    unprocessed: extensions.filter(isUnprocessed).map(({ type }) => type),
    strong: isStrongSignature(source.signatureAlgorithm) && isStrongKey(publicKeyInfo),
    tpm: tpmNameOf(extensionValue(extensions, EXTENSIONS.subjectAltName)),
    isSignedBy: (issuer) => isSignedBy(source, issuer),
  }
}

/** What the library does not give, or gives too kindly (RFC 5280, section 4.1). */
function decodeCertificate(certificate: DerValue): {
  serialNumber: Hex
  extensions: readonly X509Extension[]
  signature: Uint8Array
} {
  const [tbs, algorithm, signature] = childrenOf(tagged(certificate, DER.SEQUENCE))
  const parts = childrenOf(tagged(tbs, DER.SEQUENCE))
  const [serialNumber, tbsAlgorithm] = parts[0]?.tag === 0xa0 ? parts.slice(1) : parts
  if (algorithm === undefined || tbsAlgorithm === undefined || !equal(algorithm.bytes, tbsAlgorithm.bytes)) {
    throw new RangeError('expected one algorithm for the signature, found two')
  }
  const [extensions] = parts.filter(({ tag }) => tag === 0xa3).flatMap(childrenOf)
  return {
    serialNumber: toHex(tagged(serialNumber, DER.INTEGER).content),
    extensions: extensions === undefined ? [] : decodeExtensions(extensions),
    signature: wholeBytesOf(signature),
  }
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
    crlSign: has(x509.KeyUsageFlags.cRLSign),
  }
}

function subjectKeyIdOf(extensions: readonly X509Extension[]): Hex | undefined {
  const value = extensionValue(extensions, EXTENSIONS.subjectKeyIdentifier)
  return value && toHex(tagged(value, DER.OCTET_STRING).content)
}

function isUnprocessed({ critical, type }: X509Extension): boolean {
  return critical && !Object.values(EXTENSIONS).includes(type)
}

function extendedKeyUsageOf(source: x509.X509Certificate): Certificate['extendedKeyUsage'] {
  const extension = source.getExtension(x509.ExtendedKeyUsageExtension)
  return extension === null ? undefined : Array.from(extension.usages, String)
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
