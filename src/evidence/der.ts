import { Reader, ReadError } from '../core/reader.ts'

/** One DER value. Its parts are views of the input. */
export interface DerValue {
  /** The identifier octet: class, constructed bit and number. */
  readonly tag: number
  readonly content: Uint8Array
  /** Identifier, length and content. */
  readonly bytes: Uint8Array
}

export const DER = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OID: 0x06,
  ENUMERATED: 0x0a,
  UTF8_STRING: 0x0c,
  PRINTABLE_STRING: 0x13,
  IA5_STRING: 0x16,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

const CONSTRUCTED = 0x20
const MAX_DEPTH = 24

/**
 * Reads one DER value, strictly (ITU-T X.690, 10.1): definite lengths in their shortest form at every depth of constructed
 * values, tags below 31, no trailing bytes.
 *
 * @param bytes untrusted
 * @throws ReadError
 */
export function readDer(bytes: Uint8Array): DerValue {
  const reader = new Reader(bytes)
  const value = readValue(reader, bytes)
  reader.end('DER')
  requireStrict(value, MAX_DEPTH)
  return value
}

/** The values inside a constructed one. @throws ReadError */
export function childrenOf({ tag, content }: DerValue): readonly DerValue[] {
  if ((tag & CONSTRUCTED) === 0)
    throw new ReadError(`expected a constructed value, found the tag 0x${tag.toString(16)}`)
  const reader = new Reader(content)
  const children: DerValue[] = []
  while (reader.remaining > 0) children.push(readValue(reader, content))
  return children
}

/** A value that must have a tag. @throws ReadError where it is missing or has another */
export function tagged(value: DerValue | undefined, tag: number): DerValue {
  if (value?.tag !== tag) {
    const found = value === undefined ? 'nothing' : `0x${value.tag.toString(16)}`
    throw new ReadError(`expected the DER tag 0x${tag.toString(16)}, found ${found}`)
  }
  return value
}

/** What is in a BIT STRING of whole bytes. @throws ReadError where its last byte is not used whole */
export function wholeBytesOf(value: DerValue | undefined): Uint8Array {
  const { content } = tagged(value, DER.BIT_STRING)
  if (content[0] !== 0) throw new ReadError('expected a BIT STRING of whole bytes')
  return content.subarray(1)
}

function readValue(reader: Reader, of: Uint8Array): DerValue {
  const start = reader.offset
  const tag = reader.u8()
  if ((tag & 0x1f) === 0x1f) throw new ReadError('expected a DER tag below 31')
  const content = reader.bytes(readLength(reader))
  return { tag, content, bytes: of.subarray(start, reader.offset) }
}

function readLength(reader: Reader): number {
  const first = reader.u8()
  if (first < 0x80) return first
  const count = first & 0x7f
  if (count === 0 || count > 3) throw new ReadError('expected a definite DER length of at most three bytes')
  let length = 0
  for (let i = 0; i < count; i++) length = length * 256 + reader.u8()
  if (length < 0x80 || length < 256 ** (count - 1)) throw new ReadError('expected the shortest DER length')
  return length
}

function requireStrict(value: DerValue, depth: number): void {
  if ((value.tag & CONSTRUCTED) === 0) return
  if (depth === 0) throw new ReadError(`expected DER of a depth of at most ${MAX_DEPTH}`)
  for (const child of childrenOf(value)) requireStrict(child, depth - 1)
}
