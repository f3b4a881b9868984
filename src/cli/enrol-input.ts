import { EnrolError } from '../agent/enrol-error.ts'
import { MAX_ENROL_FILE } from '../agent/enrol-format.ts'
import { daysOf } from '../agent/enrol-life.ts'
import { readInput } from './context.ts'
import { UsageError } from './error.ts'
import { OutputFile } from './output-file.ts'

/** Reads a file, and names it where the parser refuses it. @throws UsageError FILE_UNREADABLE; what `parse` throws */
export function readEnrolFile<T>(path: string, parse: (text: string) => T): T {
  try {
    return parse(readText(path))
  } catch (cause) {
    if (cause instanceof EnrolError) throw new EnrolError(cause.code, `${path}: ${cause.message}`, { cause })
    throw cause
  }
}

function readText(path: string): string {
  const bytes = readInput(path)
  if (bytes.length > MAX_ENROL_FILE) throw new UsageError('FILE_UNREADABLE', `${path} is too large`)
  // A byte-order mark stays, and is refused like any other byte that does not belong there.
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

/** Opens a file before the work that fills it, and removes what there is of it where that fails. */
export async function withOutput<T>(path: string, work: (file: OutputFile) => Promise<T>): Promise<T> {
  const file = await OutputFile.open(path)
  try {
    return await work(file)
  } finally {
    await file.discard()
  }
}

/** An expiry that a file may have. @param seconds since the epoch; `most` from now on. @throws UsageError */
export function inFuture(seconds: bigint, most: bigint): bigint {
  const now = BigInt(Math.floor(Date.now() / 1000))
  if (seconds > now && seconds <= now + most) return seconds
  throw new UsageError('USAGE', `--expires: expected a time in the future, at most ${daysOf(most)} from now`)
}

/** @param seconds since the epoch */
export function isoOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString()
}
