import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import { equal, toHex, type Hex } from '../core/bytes.ts'
import { ReadError } from '../core/reader.ts'
import { sha256 } from '../tcg/hash.ts'
import { childrenOf, DER, readDer, tagged, wholeBytesOf, type DerValue } from './der.ts'
import { requireEcdsaValue } from './ecdsa-value.ts'
import { EvidenceError } from './error.ts'
import { revokedIn, type Revocation } from './revoked-entry.ts'
import { isStrongSignature } from './strength.ts'
import { authorityKeyOf, decodeExtensions, extensionValue, type X509Extension } from './x509-extension.ts'
import { timeOf } from './x509-time.ts'

/** A parsed certificate revocation list. Untrusted until its signature was verified with its issuer's key. */
export interface RevocationList {
  /** SHA-256 of the DER. */
  readonly fingerprint: Hex
  readonly issuer: string
  /** DER of the name, for comparison. */
  readonly issuerName: Hex
  /** What it says of its issuer's key. */
  readonly authorityKeyId: Hex | undefined
  /** Grows with each list of an issuer (RFC 5280, section 5.2.3). */
  readonly number: bigint
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  /** Whether its signature is of an allowed algorithm. */
  readonly strong: boolean
  /** What was revoked, by serial number: the INTEGER's bytes as they stand. Of two entries for one number the stricter in each respect. */
  readonly revoked: ReadonlyMap<Hex, Revocation>
  /** Whether the signature was made by a key, given as its SubjectPublicKeyInfo. Not whether that key was allowed to. */
  isSignedBy(publicKeyInfo: Uint8Array): Promise<boolean>
}

const MAX_DER = 4_194_304
const EXTENSIONS = { number: '2.5.29.20', authorityKeyIdentifier: '2.5.29.35' }
const VERSION_2 = 1
const EXTENSIONS_TAG = 0xa0
const MAX_NUMBER_BYTES = 21

/**
 * Parses a complete revocation list of one issuer (RFC 5280, section 5): version 2, with a number and a time for the next one.
 *
 * Delta lists, lists of a part of what an issuer issued, and indirect lists carry critical extensions that say so; a list with any
 * critical extension, or an entry with one, is refused, since taking it for a complete one would call revoked certificates good.
 *
 * @param der untrusted; at most 4 MiB
 * @throws EvidenceError `CRL_MALFORMED`, `CRL_EXTENSION`
 */
export function parseRevocationList(der: Uint8Array): RevocationList {
  try {
    if (der.length > MAX_DER) throw new RangeError(`expected at most ${MAX_DER} bytes, found ${der.length}`)
    const parts = decodeParts(readDer(der))
    const extensions = parts.extensions
    const critical = extensions.find((extension) => extension.critical)
    if (critical !== undefined) {
      throw new EvidenceError('CRL_EXTENSION', `expected a complete list, found the critical ${critical.type}`)
    }
    const source = new x509.X509Crl(Uint8Array.from(der))
    if (source.signatureAlgorithm.name === 'ECDSA') requireEcdsaValue(parts.signature)
    return {
      fingerprint: toHex(sha256(der)),
      issuer: source.issuer,
      issuerName: toHex(parts.issuerName.bytes),
      authorityKeyId: authorityKeyOf(extensionValue(extensions, EXTENSIONS.authorityKeyIdentifier)).keyId,
      number: numberOf(extensionValue(extensions, EXTENSIONS.number)),
      thisUpdate: timeOf(parts.thisUpdate),
      nextUpdate: timeOf(parts.nextUpdate),
      strong: isStrongSignature(source.signatureAlgorithm),
      revoked: revokedIn(parts.entries),
      isSignedBy: (publicKeyInfo) => isSignedBy(source, publicKeyInfo),
    }
  } catch (cause) {
    if (cause instanceof EvidenceError) throw cause
    // Whatever a parser of foreign bytes throws means the same thing.
    throw new EvidenceError('CRL_MALFORMED', 'expected a certificate revocation list in DER', { cause })
  }
}

interface Parts {
  readonly issuerName: DerValue
  readonly thisUpdate: DerValue | undefined
  readonly nextUpdate: DerValue | undefined
  readonly entries: readonly DerValue[]
  readonly extensions: readonly X509Extension[]
  readonly signature: Uint8Array
}

function decodeParts(list: DerValue): Parts {
  const [tbs, algorithm, signature, ...more] = childrenOf(tagged(list, DER.SEQUENCE))
  const [version, tbsAlgorithm, issuerName, thisUpdate, nextUpdate, ...rest] = childrenOf(tagged(tbs, DER.SEQUENCE))
  const { content } = tagged(version, DER.INTEGER)
  if (more.length > 0 || content.length !== 1 || content[0] !== VERSION_2) throw new ReadError('expected version 2')
  if (tbsAlgorithm === undefined || algorithm === undefined || !equal(algorithm.bytes, tbsAlgorithm.bytes)) {
    throw new ReadError('expected one algorithm for the signature, found two')
  }
  const entries = rest[0]?.tag === DER.SEQUENCE ? rest.shift() : undefined
  const [wrapped] = rest.length === 1 ? childrenOf(tagged(rest[0], EXTENSIONS_TAG)) : []
  if (wrapped === undefined) throw new ReadError('expected extensions')
  return {
    issuerName: tagged(issuerName, DER.SEQUENCE),
    thisUpdate,
    nextUpdate,
    entries: entries === undefined ? [] : childrenOf(entries),
    extensions: decodeExtensions(wrapped),
    signature: wholeBytesOf(signature),
  }
}

function numberOf(value: DerValue | undefined): bigint {
  const { content } = tagged(value, DER.INTEGER)
  if (content.length === 0 || content.length > MAX_NUMBER_BYTES || (content[0] ?? 0) >= 0x80) {
    throw new ReadError('expected a number of 0 to 20 bytes from 0 on')
  }
  return BigInt(toHex(content))
}

async function isSignedBy(source: x509.X509Crl, publicKeyInfo: Uint8Array): Promise<boolean> {
  try {
    return await source.verify({ publicKey: new x509.PublicKey(Uint8Array.from(publicKeyInfo)) }, crypto)
  } catch {
    // A signature that has no form at all is no signature.
    return false
  }
}
