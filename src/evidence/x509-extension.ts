import { toHex, type Hex } from '../core/bytes.ts'
import { ReadError } from '../core/reader.ts'
import { childrenOf, DER, readDer, tagged, type DerValue } from './der.ts'

/** An extension of a certificate, a revocation list or one of its entries (RFC 5280, section 4.1.2.9). */
export interface X509Extension {
  /** Dotted decimal. */
  readonly type: string
  readonly critical: boolean
  /** What is in the OCTET STRING: DER. */
  readonly value: Uint8Array
}

/**
 * Decodes a sequence of extensions, each type at most once.
 *
 * @param value untrusted
 * @throws ReadError
 */
export function decodeExtensions(value: DerValue): readonly X509Extension[] {
  const extensions = childrenOf(tagged(value, DER.SEQUENCE)).map(decodeExtension)
  if (new Set(extensions.map(({ type }) => type)).size !== extensions.length) {
    throw new ReadError('an extension stands twice')
  }
  return extensions
}

/** The value of an extension, undefined where there is none of that type. @throws ReadError where it is no DER */
export function extensionValue(extensions: readonly X509Extension[], type: string): DerValue | undefined {
  const found = extensions.find((extension) => extension.type === type)
  return found && readDer(found.value)
}

/** keyIdentifier and authorityCertSerialNumber of an AuthorityKeyIdentifier (RFC 5280, section 4.2.1.1), as they stand. */
export function authorityKeyOf(value: DerValue | undefined): { readonly keyId?: Hex; readonly serialNumber?: Hex } {
  if (value === undefined) return {}
  const parts = childrenOf(tagged(value, DER.SEQUENCE))
  const [keyId, serialNumber] = [0x80, 0x82].map((tag) => parts.find((part) => part.tag === tag)?.content)
  return { ...(keyId && { keyId: toHex(keyId) }), ...(serialNumber && { serialNumber: toHex(serialNumber) }) }
}

/** An object identifier as dotted decimal. @throws ReadError */
export function oidOf(value: DerValue): string {
  const { content } = tagged(value, DER.OID)
  const last = content.at(-1)
  if (last === undefined || last >= 0x80) throw new ReadError('expected an object identifier')
  const arcs: bigint[] = []
  let arc = 0n
  for (const byte of content) {
    arc = arc * 128n + BigInt(byte & 0x7f)
    if (byte >= 0x80) continue
    arcs.push(arc)
    arc = 0n
  }
  const [first = 0n, ...rest] = arcs
  const root = first < 80n ? first / 40n : 2n
  return [root, first - root * 40n, ...rest].join('.')
}

function decodeExtension(value: DerValue): X509Extension {
  const [type, ...rest] = childrenOf(tagged(value, DER.SEQUENCE))
  const critical = rest[0]?.tag === DER.BOOLEAN ? rest.shift() : undefined
  const [octets, ...more] = rest
  if (type === undefined || more.length > 0) throw new ReadError('expected an X.509 extension')
  return {
    type: oidOf(type),
    // Whatever is not plainly false counts as critical.
    critical: critical !== undefined && !(critical.content.length === 1 && critical.content[0] === 0),
    value: tagged(octets, DER.OCTET_STRING).content,
  }
}
