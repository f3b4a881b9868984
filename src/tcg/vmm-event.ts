import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { TcgError } from './error.ts'

/** What the VMM's measurement says in one event (docs/formats.md, "Canonical event log"). */
export interface VmmEvent {
  /** The profile that follows, a component as it was at boot, or a component that changed while running. */
  readonly kind: 'profile' | 'component' | 'changed'
  /** The profile's or the component's name, 1 to 4096 bytes of UTF-8. */
  readonly name: string
  /**
   * The component's digest, 32 bytes. Never for a profile; absent where an optional component was not there at boot, or a
   * changed one is gone.
   */
  readonly sha256?: Uint8Array
}

const KINDS = ['profile', 'component', 'changed'] as const
const FIELD = { kind: 0, name: 1, sha256: 2 } as const
const MAX_NAME = 4096
const DIGEST = 32

/** The longest content, in bytes. */
export const MAX_EVENT_CONTENT = 3 * 5 + 1 + MAX_NAME + DIGEST

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * An event's content: the value of the TLV of type 0x5a.
 *
 * @throws TcgError `EVENT_INVALID`, `EVENT_KIND`
 */
export function encodeContent(event: VmmEvent): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode(event.name)
  if (!event.name.isWellFormed()) throw new TcgError('EVENT_INVALID', 'expected a name that has a UTF-8 encoding')
  requireFields(event, name)
  const kind = Uint8Array.of(KINDS.indexOf(event.kind))
  const writer = new Writer().u8(FIELD.kind).sized32(kind).u8(FIELD.name).sized32(name)
  return (event.sha256 === undefined ? writer : writer.u8(FIELD.sha256).sized32(event.sha256)).finish()
}

/**
 * Reads an event's content; each field once, in order.
 *
 * @param content untrusted
 * @throws TcgError `EVENT_INVALID`, `EVENT_KIND`; ReadError for the caller to word
 */
export function readContent(content: Uint8Array): VmmEvent {
  const reader = new Reader(content)
  const kind = KINDS[readField(reader, FIELD.kind, 1)[0] ?? KINDS.length]
  if (kind === undefined) throw new TcgError('EVENT_KIND', `expected a kind below ${KINDS.length}`)
  const bytes = readField(reader, FIELD.name, MAX_NAME)
  const name = decodeName(bytes)
  const event =
    reader.remaining === 0 ? { kind, name } : { kind, name, sha256: readField(reader, FIELD.sha256, DIGEST) }
  reader.end('event content')
  requireFields(event, bytes)
  return event
}

function readField(reader: Reader, expected: number, max: number): Uint8Array {
  const type = reader.u8()
  if (type !== expected) throw new TcgError('EVENT_INVALID', `expected the field ${expected}, found ${type}`)
  return reader.sized32(max)
}

function decodeName(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new TcgError('EVENT_INVALID', 'expected a name in UTF-8', { cause })
  }
}

function requireFields(event: VmmEvent, name: Uint8Array): void {
  const { kind, sha256 } = event
  if (name.length === 0 || name.length > MAX_NAME) {
    throw new TcgError('EVENT_INVALID', `expected a name of 1 to ${MAX_NAME} bytes, found ${name.length}`)
  }
  if (sha256 !== undefined && sha256.length !== DIGEST) {
    throw new TcgError('EVENT_INVALID', `expected a digest of ${DIGEST} bytes, found ${sha256.length}`)
  }
  if (kind === 'profile' && sha256 !== undefined) throw new TcgError('EVENT_INVALID', 'a profile has no digest')
}
