import { toHex, type Hex } from '../core/bytes.ts'
import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { GUID, guidText } from './guid.ts'
import { sha256 } from './hash.ts'

/** One entry of a signature database. */
export interface Signature {
  /** `x509`, `sha256`, …; the type's GUID where it has no name here. */
  readonly type: string
  /** The owner's GUID; empty where the event leaves it out, as shim's do for keys of the machine's owner. */
  readonly owner: string
  /** SHA-256 of a certificate's DER; of a hash, the hash; of anything else, its SHA-256. */
  readonly fingerprint: Hex
}

/** Types (UEFI 2.10, 32.4.1), and whether the entry is a digest already. */
const TYPES: ReadonlyMap<string, { readonly name: string; readonly isDigest: boolean }> = new Map([
  [GUID.CERT_X509, { name: 'x509', isDigest: false }],
  [GUID.CERT_RSA2048, { name: 'rsa2048', isDigest: false }],
  [GUID.CERT_SHA1, { name: 'sha1', isDigest: true }],
  [GUID.CERT_SHA256, { name: 'sha256', isDigest: true }],
  [GUID.CERT_SHA384, { name: 'sha384', isDigest: true }],
  [GUID.CERT_SHA512, { name: 'sha512', isDigest: true }],
  [GUID.CERT_X509_SHA256, { name: 'x509_sha256', isDigest: true }],
  [GUID.CERT_X509_SHA384, { name: 'x509_sha384', isDigest: true }],
  [GUID.CERT_X509_SHA512, { name: 'x509_sha512', isDigest: true }],
])

const LIST_HEADER = 28
const OWNER = 16

/**
 * Decodes a signature database: EFI_SIGNATURE_LISTs, one after the other (UEFI 2.10, 32.4.1). A deleted variable is an empty one.
 *
 * @param value untrusted; each entry takes at least 17 bytes, so there are never more than the value has room for
 * @returns undefined where the lengths do not add up
 */
export function decodeSignatureLists(value: Uint8Array): readonly Signature[] | undefined {
  const reader = new LittleEndianReader(value)
  const signatures: Signature[] = []
  while (reader.remaining > 0) {
    if (reader.remaining < LIST_HEADER) return undefined
    const type = guidText(reader.bytes(16))
    const [listSize, headerSize, size] = [reader.u32(), reader.u32(), reader.u32()]
    const bytes = listSize - LIST_HEADER
    if (bytes < 0 || bytes > reader.remaining || headerSize > bytes || size <= OWNER) return undefined
    reader.bytes(headerSize)
    const count = (bytes - headerSize) / size
    if (!Number.isInteger(count)) return undefined
    for (let i = 0; i < count; i++) signatures.push(signatureOf(type, reader.bytes(size)))
  }
  return signatures
}

/**
 * Decodes the single EFI_SIGNATURE_DATA of an authority: who owns it, and the certificate or hash that a boot application was verified with.
 *
 * @param value untrusted
 * @returns undefined where it is too short
 */
export function decodeSignatureData(value: Uint8Array): Signature | undefined {
  // The event does not say which type it is. A certificate begins as every DER sequence of that length does.
  const isCertificate = (at: number) => value[at] === 0x30 && value[at + 1] === 0x82
  if (isCertificate(0)) return { type: 'x509', owner: '', fingerprint: toHex(sha256(value)) }
  if (value.length === OWNER + 32) return signatureOf(GUID.CERT_SHA256, value)
  return value.length > OWNER && isCertificate(OWNER) ? signatureOf(GUID.CERT_X509, value) : undefined
}

function signatureOf(guid: string, data: Uint8Array): Signature {
  const type = TYPES.get(guid)
  const content = data.subarray(OWNER)
  return {
    type: type?.name ?? guid,
    owner: guidText(data.subarray(0, OWNER)),
    fingerprint: toHex(type?.isDigest === true ? content : sha256(content)),
  }
}
