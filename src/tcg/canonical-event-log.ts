import { concat, equal } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from './algorithm.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'
import { sha256 } from './hash.ts'
import { PCR_COUNT } from './pcr-selection.ts'
import { resetValue } from './reset-value.ts'
import { encodeContent, MAX_EVENT_CONTENT, readContent, type VmmEvent } from './vmm-event.ts'

export type { VmmEvent } from './vmm-event.ts'

/** One record of a canonical event log. Believed only where the log replays to a quoted PCR. */
export interface LoggedEvent {
  /** From 0, without a gap. */
  readonly recnum: bigint
  readonly pcr: number
  /** What was extended, 32 bytes: the SHA-256 of the event's content. */
  readonly digest: Uint8Array
  readonly event: VmmEvent
}

/** Bounds of a log: bytes, and records. */
export const MAX_LOG_BYTES = 16 * 1024 * 1024
export const MAX_LOG_RECORDS = 65536

/** Types of a record's TLVs (TCG Canonical Event Log 1.0, section 5), and Attestry's content. */
const TLV = { recnum: 0, pcr: 1, digests: 3, content: 0x5a } as const
const DIGEST = 32

/**
 * One record, as TLVs (docs/formats.md, "Canonical event log"). A log is its records, one after the other.
 *
 * @throws TcgError `EVENT_INVALID`, `EVENT_KIND`
 */
export function encodeEvent(recnum: bigint, pcr: number, event: VmmEvent): Uint8Array<ArrayBuffer> {
  requirePcr(pcr)
  const content = encodeContent(event)
  const digests = new Writer().u8(TPM_ALG.SHA256).sized32(sha256(content)).finish()
  return new Writer()
    .u8(TLV.recnum)
    .sized32(new Writer().u64(recnum).finish())
    .u8(TLV.pcr)
    .sized32(Uint8Array.of(pcr))
    .u8(TLV.digests)
    .sized32(digests)
    .u8(TLV.content)
    .sized32(content)
    .finish()
}

/** What is extended for an event, 32 bytes. @throws TcgError `EVENT_INVALID`, `EVENT_KIND` */
export function eventDigest(event: VmmEvent): Uint8Array<ArrayBuffer> {
  return sha256(encodeContent(event))
}

/**
 * Decodes a log, strictly: records numbered from 0 without a gap, each digest recomputed from its content.
 *
 * @param bytes untrusted; at most 16 MiB
 * @throws TcgError `MALFORMED`, `LOG_TOO_LARGE`, `EVENT_ORDER`, `EVENT_KIND`, `EVENT_DIGEST`, `EVENT_INVALID`
 */
export function decodeCanonicalLog(bytes: Uint8Array): readonly LoggedEvent[] {
  if (bytes.length > MAX_LOG_BYTES) {
    throw new TcgError('LOG_TOO_LARGE', `expected at most ${MAX_LOG_BYTES} bytes of log, found ${bytes.length}`)
  }
  return decodeWhole('event log', bytes, (reader) => {
    const log: LoggedEvent[] = []
    while (reader.remaining > 0) {
      if (log.length === MAX_LOG_RECORDS) {
        throw new TcgError('LOG_TOO_LARGE', `expected at most ${MAX_LOG_RECORDS} records`)
      }
      log.push(readRecord(reader, BigInt(log.length)))
    }
    return log
  })
}

/**
 * The value that a log gives a PCR of the SHA-256 bank, 32 bytes: extended, from the PCR's value after a reset, with the
 * digest of each of its events, in order.
 *
 * @throws TcgError `EVENT_INVALID` for a PCR that does not exist
 */
export function replayCanonicalLog(log: readonly LoggedEvent[], pcr: number): Uint8Array<ArrayBuffer> {
  requirePcr(pcr)
  return log
    .filter((record) => record.pcr === pcr)
    .reduce((value, { digest }) => sha256(concat(value, digest)), resetValue('sha256', pcr))
}

function readRecord(reader: Reader, expected: bigint): LoggedEvent {
  const recnum = new Reader(readTlv(reader, TLV.recnum, 8, 8)).u64()
  if (recnum !== expected) throw new TcgError('EVENT_ORDER', `expected the record ${expected}, found ${recnum}`)
  const pcr = new Reader(readTlv(reader, TLV.pcr, 1, 1)).u8()
  requirePcr(pcr)
  const digests = new Reader(readTlv(reader, TLV.digests, 5 + DIGEST, 5 + DIGEST))
  const digest = readTlv(digests, TPM_ALG.SHA256, DIGEST, DIGEST)
  const content = readTlv(reader, TLV.content, 0, MAX_EVENT_CONTENT)
  const event = readContent(content)
  if (!equal(sha256(content), digest)) {
    throw new TcgError('EVENT_DIGEST', `the digest of record ${recnum} is not that of its content`)
  }
  return { recnum, pcr, digest, event }
}

function readTlv(reader: Reader, expected: number, min: number, max: number): Uint8Array {
  const type = reader.u8()
  if (type !== expected) {
    const code = expected === TLV.content ? 'EVENT_KIND' : 'EVENT_INVALID'
    throw new TcgError(code, `expected a TLV of type 0x${expected.toString(16)}, found 0x${type.toString(16)}`)
  }
  const value = reader.sized32(max)
  if (value.length < min) throw new TcgError('EVENT_INVALID', `expected ${min} bytes, found ${value.length}`)
  return value
}

function requirePcr(pcr: number): void {
  if (!Number.isInteger(pcr) || pcr < 0 || pcr >= PCR_COUNT) {
    throw new TcgError('EVENT_INVALID', `expected a PCR from 0 to ${PCR_COUNT - 1}, found ${pcr}`)
  }
}
