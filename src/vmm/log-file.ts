import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { concat } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import {
  decodeCanonicalLog,
  encodeEvent,
  MAX_LOG_BYTES,
  MAX_LOG_RECORDS,
  type LoggedEvent,
  type VmmEvent,
} from '../tcg/canonical-event-log.ts'
import { VmmError } from './error.ts'

/** The canonical event log of one boot. */
export interface VmmLog {
  /** As it lies on disk; its SHA-256 is the manifestHash of a proposal. */
  readonly bytes: Uint8Array
  readonly records: readonly LoggedEvent[]
}

const EMPTY: VmmLog = { bytes: new Uint8Array(), records: [] }

/**
 * Reads an event log; an empty one where there is none. What it says is untrusted until it replays to a PCR.
 *
 * @throws VmmError `LOG_INVALID`
 */
export async function readVmmLog(path: string): Promise<VmmLog> {
  try {
    const bytes = new Uint8Array(await readFile(path))
    return { bytes, records: decodeCanonicalLog(bytes) }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY
    throw new VmmError('LOG_INVALID', `the event log ${path} cannot be used: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Puts the log of an earlier boot aside, as `PATH.1`, in place of what was put there before. Nothing happens where there
 * is none.
 *
 * @throws VmmError `LOG_INVALID`
 */
export async function putAside(path: string): Promise<void> {
  try {
    await rename(path, `${path}.1`)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new VmmError('LOG_INVALID', `cannot put ${path} aside: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Appends events. They are on disk when this returns; a crash leaves the log with all of them or as it was.
 *
 * @throws VmmError `LOG_FULL`, the log as it was; `LOG_INVALID` when it cannot be written
 */
export async function appendEvents(
  path: string,
  log: VmmLog,
  pcr: number,
  events: readonly VmmEvent[],
): Promise<VmmLog> {
  const first = BigInt(log.records.length)
  const encoded = events.map((event, i) => encodeEvent(first + BigInt(i), pcr, event))
  const bytes = concat(log.bytes, ...encoded)
  const records = log.records.length + events.length
  if (records > MAX_LOG_RECORDS || bytes.length > MAX_LOG_BYTES) {
    throw new VmmError(
      'LOG_FULL',
      `${path}: expected at most ${MAX_LOG_RECORDS} records in ${MAX_LOG_BYTES} bytes, found ${records} in ${bytes.length}`,
    )
  }
  try {
    await replaceFile(path, bytes)
  } catch (cause) {
    throw new VmmError('LOG_INVALID', `cannot write the event log ${path}: ${messageOf(cause)}`, { cause })
  }
  return { bytes, records: decodeCanonicalLog(bytes) }
}

/** Writes beside, synchronises, renames: a reader never sees half a log. */
async function replaceFile(path: string, bytes: Uint8Array): Promise<void> {
  const next = `${path}.next`
  const file = await open(next, 'w', 0o644)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(next, path)
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
