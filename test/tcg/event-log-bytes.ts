import { concat } from '../../src/core/bytes.ts'
import { BANKS, type BankName } from '../../src/tcg/bank.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { EV } from '../../src/tcg/event-type.ts'
import { digest, type ComputableBank } from '../../src/tcg/hash.ts'
import { tpmVector } from './tpm-vectors.ts'

/** An event to be written. */
export interface WrittenEvent {
  readonly pcr: number
  readonly type: number
  readonly data: Uint8Array
  /** What its digests are of, by default the data; or the digests themselves. */
  readonly of?: Uint8Array
  readonly digests?: Readonly<Partial<Record<BankName, Uint8Array>>>
}

export const text = (value: string) => new TextEncoder().encode(value)
export const wide = (value: string) => Uint8Array.from(Buffer.from(value, 'utf16le'))

export function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

export function u16(value: number): Uint8Array<ArrayBuffer> {
  return u32(value).slice(0, 2)
}

export function u64(value: number): Uint8Array<ArrayBuffer> {
  return concat(u32(value), u32(0))
}

/** The data of a Spec ID Event03. */
export function specId(algorithms: readonly (readonly [number, number])[], behind = Uint8Array.of(0)): Uint8Array {
  const list = algorithms.map(([algorithm, length]) => concat(u16(algorithm), u16(length)))
  return concat(text('Spec ID Event03\0'), u32(0), Uint8Array.of(0, 2, 0, 2), u32(list.length), ...list, behind)
}

/** An event in the old form. */
export function sha1Event({ pcr, type, data, of = data, digests }: WrittenEvent): Uint8Array {
  const found = digests?.sha1 ?? (type === EV.NO_ACTION ? new Uint8Array(20) : digest('sha1', of))
  return concat(u32(pcr), u32(type), found, u32(data.length), data)
}

/** An event with a digest for each bank. */
export function agileEvent(banks: readonly ComputableBank[], event: WrittenEvent): Uint8Array {
  const { pcr, type, data, of = data, digests } = event
  const all = banks.map((bank) => {
    const found = type === EV.NO_ACTION ? new Uint8Array(BANKS[bank].length) : digest(bank, of)
    return concat(u16(BANKS[bank].algorithm), digests?.[bank] ?? found)
  })
  return concat(u32(pcr), u32(type), u32(all.length), ...all, u32(data.length), data)
}

/** A crypto-agile log, with its header. */
export function agileLog(banks: readonly ComputableBank[], events: readonly WrittenEvent[]): Uint8Array<ArrayBuffer> {
  const header = specId(banks.map((bank) => [BANKS[bank].algorithm, BANKS[bank].length]))
  const first = sha1Event({ pcr: 0, type: EV.NO_ACTION, data: header })
  return concat(first, ...events.map((event) => agileEvent(banks, event)))
}

/** A capture's events as they can be written again, without the header. */
export function capturedEvents(capture: string): readonly WrittenEvent[] {
  const { events } = parseEventLog(tpmVector(`${capture}/binary_bios_measurements`))
  return events.slice(1).map((event) => ({
    pcr: event.pcr,
    type: event.type,
    data: event.data,
    digests: Object.fromEntries(
      (['sha1', 'sha256', 'sha384', 'sha512'] as const).map((bank) => [bank, event.digest(bank) ?? new Uint8Array()]),
    ),
  }))
}

/** The data of a variable's event. */
export function variable(guid: string, name: string, value: Uint8Array): Uint8Array {
  const [a = '', b = '', c = '', ...rest] = guid.split('-')
  const little = [a, b, c].flatMap((part) => [...Buffer.from(part, 'hex')].reverse())
  const bytes = Uint8Array.from([...little, ...Buffer.from(rest.join(''), 'hex')])
  return concat(bytes, u64(name.length), u64(value.length), wide(name), value)
}

export const SEPARATOR = new Uint8Array(4)
