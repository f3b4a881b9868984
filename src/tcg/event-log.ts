import { EventLogError } from './event-log-error.ts'
import type { Finding } from './event-log-finding.ts'
import { decodeSpecId, SHA1, specSignature, type LogAlgorithm, type SpecId } from './event-log-header.ts'
import { EV } from './event-type.ts'
import { FirmwareEvent, type DigestLayout } from './firmware-event.ts'
import { PCR_COUNT } from './pcr-selection.ts'

/** A firmware event log, decoded. Shares the memory of the bytes it was read from. */
export interface EventLog {
  /** What the log begins with, undefined for an old log without. */
  readonly spec: SpecId | undefined
  /** As the header orders them; SHA-1 alone in the old form. */
  readonly algorithms: readonly LogAlgorithm[]
  /** In order; the header's event is the first. */
  readonly events: readonly FirmwareEvent[]
  /** What is remarkable about how it is written. */
  readonly findings: readonly Finding[]
}

/** Bounds of a log: bytes, events. */
export const MAX_EVENT_LOG_BYTES = 16 * 1024 * 1024
export const MAX_EVENTS = 65536

const SHA1_LAYOUT: DigestLayout = new Map([[SHA1.algorithm, { offset: 0, length: SHA1.length }]])
const SHA1_HEAD = 8 + SHA1.length + 4

/**
 * Decodes a firmware event log as /sys/kernel/security/tpm0/binary_bios_measurements has it: crypto-agile where it begins with a Spec
 * ID Event03 (PC Client Platform Firmware Profile 1.06, 10.2 and 10.4.5), else the form of TPM 1.2 with SHA-1 alone. Data are not decoded here.
 *
 * Firmware that hands over a whole memory area leaves zeros, or ones, behind the last event: such padding is a finding. Anything
 * else there is an event that was cut, and refused.
 *
 * @param bytes untrusted; at most 16 MiB and 65,536 events
 * @throws EventLogError
 */
export function parseEventLog(bytes: Uint8Array): EventLog {
  if (bytes.length > MAX_EVENT_LOG_BYTES) {
    throw new EventLogError('LOG_TOO_LARGE', `expected at most ${MAX_EVENT_LOG_BYTES} bytes, found ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const padding = paddingStart(bytes)
  if (padding === 0) throw new EventLogError('LOG_EMPTY', 'expected at least one event')
  const first = readSha1Event(bytes, view, 0, 0)
  const signature = first.event.type === EV.NO_ACTION ? specSignature(first.event.data) : undefined
  const spec = signature === undefined ? undefined : decodeSpecId(signature, first.event.data)
  const findings = spec === undefined ? [] : headerFindings(spec)
  const algorithms = spec?.signature === 'Spec ID Event03' ? spec.algorithms : [SHA1]
  const read = algorithms === spec?.algorithms ? agileReader(bytes, view, algorithms, findings) : readSha1Event
  const events = [first.event]
  for (let offset = first.end; offset < bytes.length;) {
    if (offset >= padding) {
      const detail = `${bytes.length - offset} bytes of 0x${bytes[offset] === 0 ? '00' : 'ff'} behind the last event`
      findings.push({ code: 'TRAILING_PADDING', event: null, detail })
      break
    }
    if (events.length === MAX_EVENTS) throw new EventLogError('LOG_TOO_LARGE', `expected at most ${MAX_EVENTS} events`)
    const { event, end } = read(bytes, view, offset, events.length)
    events.push(event)
    offset = end
  }
  return { spec, algorithms, events, findings }
}

interface ReadEvent {
  readonly event: FirmwareEvent
  readonly end: number
}

/** Where the run of zeros, or of ones, begins that the log ends with. Looked for once: to look at each event anew would be quadratic. */
function paddingStart(bytes: Uint8Array): number {
  const last = bytes.at(-1)
  if (last !== 0 && last !== 0xff) return bytes.length
  let start = bytes.length - 1
  while (start > 0 && bytes[start - 1] === last) start--
  return start
}

/** A TCG_PCR_EVENT: PCR, type, SHA-1 digest, size, data. */
function readSha1Event(bytes: Uint8Array, view: DataView, offset: number, index: number): ReadEvent {
  requireBytes(bytes, offset, SHA1_HEAD, index)
  const head = headOf(view, offset, index)
  const length = view.getUint32(offset + 28, true)
  const data = offset + SHA1_HEAD
  requireBytes(bytes, data, length, index)
  return {
    event: new FirmwareEvent(head, bytes, SHA1_LAYOUT, { digests: offset + 8, data, length }),
    end: data + length,
  }
}

/** How an event's digests lie, how many bytes they are, and what is missing, in words. */
interface DigestPlace {
  readonly layout: DigestLayout
  readonly bytes: number
  readonly detail: string | undefined
}

/** Reads TCG_PCR_EVENT2: PCR, type, a list of digests with their algorithms, size, data. */
function agileReader(
  bytes: Uint8Array,
  view: DataView,
  algorithms: readonly LogAlgorithm[],
  findings: Finding[],
): typeof readSha1Event {
  const usualBytes = algorithms.reduce((sum, { length }) => sum + 2 + length, 0)
  const usual: DigestPlace = { layout: layoutOf(algorithms), bytes: usualBytes, detail: undefined }
  for (const { bank, name } of algorithms) {
    if (bank !== undefined) continue
    findings.push({ code: 'ALGORITHM_UNKNOWN', event: 0, detail: `the algorithm ${name} is kept, and not replayed` })
  }

  const isUsual = (digests: number, count: number) => {
    if (count !== algorithms.length || digests + usualBytes > bytes.length) return false
    let at = digests
    for (const { algorithm, length } of algorithms) {
      if (view.getUint16(at, true) !== algorithm) return false
      at += 2 + length
    }
    return true
  }

  /** How events lie that have fewer digests, or another order; kept, for many events may lie so. */
  const layouts = new Map<string, DigestPlace>()
  const unusual = (digests: number, count: number, index: number): DigestPlace => {
    if (count > algorithms.length) {
      throw new EventLogError(
        'EVENT_ALGORITHM',
        `event ${index}: expected ${algorithms.length} digests, found ${count}`,
      )
    }
    const found: LogAlgorithm[] = []
    let at = digests
    for (let i = 0; i < count; i++) {
      requireBytes(bytes, at, 2, index)
      const id = view.getUint16(at, true)
      const one = algorithms.find(({ algorithm }) => algorithm === id)
      if (one === undefined || found.includes(one)) {
        const what = one === undefined ? 'is not in the header' : 'is there twice'
        throw new EventLogError('EVENT_ALGORITHM', `event ${index}: the algorithm 0x${id.toString(16)} ${what}`)
      }
      requireBytes(bytes, at, 2 + one.length, index)
      found.push(one)
      at += 2 + one.length
    }
    const key = found.map(({ algorithm }) => algorithm).join()
    const missing = algorithms.filter((one) => !found.includes(one)).map(({ name }) => name)
    const detail = missing.length === 0 ? undefined : `the event has no digest of ${missing.join(', ')}`
    const made = layouts.get(key) ?? { layout: layoutOf(found), bytes: at - digests, detail }
    layouts.set(key, made)
    return made
  }

  return (_bytes, _view, offset, index) => {
    requireBytes(bytes, offset, 12, index)
    const head = headOf(view, offset, index)
    const count = view.getUint32(offset + 8, true)
    if (count === 0 && head.type !== EV.NO_ACTION) {
      throw new EventLogError('EVENT_ALGORITHM', `event ${index}: expected at least one digest, found none`)
    }
    const digests = offset + 12
    const { layout, bytes: digestBytes, detail } = isUsual(digests, count) ? usual : unusual(digests, count, index)
    if (detail !== undefined && head.type !== EV.NO_ACTION)
      findings.push({ code: 'DIGEST_MISSING', event: index, detail })
    const end = digests + digestBytes
    requireBytes(bytes, end, 4, index)
    const length = view.getUint32(end, true)
    const data = end + 4
    requireBytes(bytes, data, length, index)
    return { event: new FirmwareEvent(head, bytes, layout, { digests, data, length }), end: data + length }
  }
}

function layoutOf(algorithms: readonly LogAlgorithm[]): DigestLayout {
  let end = 0
  return new Map(
    algorithms.map(({ algorithm, length }) => [algorithm, { offset: (end += 2 + length) - length, length }]),
  )
}

function headOf(view: DataView, offset: number, index: number) {
  const [pcr, type] = [view.getUint32(offset, true), view.getUint32(offset + 4, true)]
  // What is not extended may name anything: firmware writes all ones.
  if (pcr >= PCR_COUNT && type !== EV.NO_ACTION) {
    throw new EventLogError('EVENT_PCR', `event ${index}: expected a PCR below ${PCR_COUNT}, found ${pcr}`)
  }
  return { index, pcr, type }
}

function headerFindings({ regular }: SpecId): Finding[] {
  if (regular) return []
  return [
    { code: 'DATA_MALFORMED', event: 0, detail: 'the Spec ID event’s vendor information is not as long as it says' },
  ]
}

function requireBytes(bytes: Uint8Array, offset: number, length: number, index: number): void {
  if (length <= bytes.length - offset) return
  const message = `event ${index}: expected ${length} more bytes at offset ${offset}, found ${bytes.length - offset}`
  throw new EventLogError('LOG_TRUNCATED', message)
}
