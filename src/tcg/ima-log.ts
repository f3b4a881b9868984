import { equal } from '../core/bytes.ts'
import { BANKS } from './bank.ts'
import { COMPUTABLE_BANKS, type ComputableBank } from './hash.ts'
import { ImaError } from './ima-error.ts'
import { templateHash, type HashedTemplate } from './ima-hash.ts'
import { readMeasurement } from './ima-measurement.ts'
import {
  IMA_TEMPLATES,
  MAX_TEMPLATE_NAME,
  OLD_DIGEST,
  OLD_NAME,
  readLength,
  requireTemplateName,
} from './ima-template.ts'
import { PCR_COUNT } from './pcr-selection.ts'

/**
 * One entry of an IMA measurement log, untrusted. Where the log replays to a PCR up to this entry or a later one, its `data` is
 * what the kernel measured, unless it is a violation; its `template` is covered by nothing.
 */
export interface ImaEntry extends HashedTemplate {
  /** 0 to 23; 10 unless the kernel's policy says otherwise. */
  readonly pcr: number
  /** The template digest as logged, as long as the log's bank's: all zeros says that the measurement was violated. */
  readonly digest: Uint8Array
}

/** A log that was read. */
export interface ImaLog {
  /** Whose digests it holds: `sha1`, or another bank's in files such as `binary_runtime_measurements_sha256`. */
  readonly bank: ComputableBank
  readonly entries: readonly ImaEntry[]
}

/** The largest log, in bytes. */
export const MAX_IMA_LOG = 128 * 1024 * 1024
const knownNames: ReadonlyMap<string, string> = new Map(Object.keys(IMA_TEMPLATES).map((name) => [name, name]))

/**
 * Decodes a binary log (`binary_runtime_measurements`, little-endian as x86 and arm64 write it). The log does not say whose
 * digests it holds; it is taken for that of the bank whose hash the first entry's digest is, or else for SHA-1's.
 *
 * @param bytes untrusted; at most 128 MiB; entries share its memory
 * @param bank whose digests the log holds, where that is known
 * @throws ImaError `IMA_TOO_LARGE`, `IMA_MALFORMED`, `IMA_FIELD`
 */
export function decodeImaLog(bytes: Uint8Array, bank: ComputableBank = bankOfLog(bytes)): ImaLog {
  if (bytes.length > MAX_IMA_LOG) {
    throw new ImaError('IMA_TOO_LARGE', `expected at most ${MAX_IMA_LOG} bytes of log, found ${bytes.length}`)
  }
  const log = { bytes, digestLength: BANKS[bank].length }
  const cursor = { bytes, offset: 0 }
  const entries: ImaEntry[] = []
  while (cursor.offset < bytes.length) entries.push(readEntry(log, cursor, entries.length))
  return { bank, entries }
}

/** Whether the kernel says that what it measured was open for writing, or read while it was. */
export function isViolation({ digest }: ImaEntry): boolean {
  for (let i = 0; i < digest.length; i++) if (digest[i] !== 0) return false
  return true
}

/**
 * An entry by its place in the log, as small as it can be: whatever is kept for each of a hundred thousand entries the garbage
 * collector has to move, which with two views each cost more than reading the log, and more for an entry the longer the log was.
 */
class LoggedEntry implements ImaEntry {
  readonly template: string
  readonly #log: LogBytes
  readonly #start: number
  readonly #dataStart: number
  readonly #end: number

  /** @param start of a PCR and a digest that are there, with the data from `dataStart` to `end` */
  constructor(template: string, log: LogBytes, start: number, dataStart: number, end: number) {
    this.template = template
    this.#log = log
    this.#start = start
    this.#dataStart = dataStart
    this.#end = end
  }

  get pcr(): number {
    return readLength(this.#log.bytes, this.#start)
  }

  get digest(): Uint8Array {
    const start = this.#start + PCR_BYTES
    return this.#log.bytes.subarray(start, start + this.#log.digestLength)
  }

  get data(): Uint8Array {
    return this.#log.bytes.subarray(this.#dataStart, this.#end)
  }
}

const PCR_BYTES = 4

/** What all entries of a log share. */
interface LogBytes {
  readonly bytes: Uint8Array
  /** Of each template digest. */
  readonly digestLength: number
}

interface Cursor {
  readonly bytes: Uint8Array
  offset: number
}

/**
 * One entry: PCR, template digest, template name, template data, the middle two lengths with 32 bits in front; the old `ima`
 * template without a length of its data (Linux, security/integrity/ima/ima_fs.c).
 */
function readEntry(log: LogBytes, cursor: Cursor, index: number): ImaEntry {
  const start = cursor.offset
  const pcr = readU32(cursor, index)
  if (pcr >= PCR_COUNT) throw malformed(index, `expected a PCR from 0 to ${PCR_COUNT - 1}, found ${pcr}`)
  skip(cursor, log.digestLength, index)
  const nameLength = readU32(cursor, index)
  if (nameLength === 0 || nameLength > MAX_TEMPLATE_NAME) {
    throw malformed(index, `expected a template name of 1 to ${MAX_TEMPLATE_NAME} bytes, found ${nameLength}`)
  }
  const template = templateName(log.bytes, skip(cursor, nameLength, index), cursor.offset)
  const dataLength = template === 'ima' ? oldLength(cursor, index) : readU32(cursor, index)
  const entry = new LoggedEntry(template, log, start, skip(cursor, dataLength, index), cursor.offset)
  readMeasurement(template, entry.data)
  return entry
}

/** The old template's data: a digest, the name's length, and the name. */
function oldLength(cursor: Cursor, index: number): number {
  const length = readU32({ ...cursor, offset: cursor.offset + OLD_DIGEST }, index)
  if (length >= OLD_NAME) throw malformed(index, `expected a name of fewer than ${OLD_NAME} bytes, found ${length}`)
  return OLD_DIGEST + 4 + length
}

/** A known template's name is one string however often it stands there. */
function templateName(bytes: Uint8Array, start: number, end: number): string {
  let name = ''
  for (let i = start; i < end; i++) name += String.fromCharCode(bytes[i] ?? 0)
  return knownNames.get(name) ?? requireTemplateName(name)
}

function readU32(cursor: Cursor, index: number): number {
  if (cursor.bytes.length - cursor.offset < 4) throw truncated(cursor, 4, index)
  cursor.offset += 4
  return readLength(cursor.bytes, cursor.offset - 4)
}

/** Where the next bytes begin, which are there. */
function skip(cursor: Cursor, length: number, index: number): number {
  if (cursor.bytes.length - cursor.offset < length) throw truncated(cursor, length, index)
  cursor.offset += length
  return cursor.offset - length
}

/** The bank whose hash the first entry's digest is; a violation, whose digest is none, tells by where its name stands. */
function bankOfLog(bytes: Uint8Array): ComputableBank {
  const fits = (bank: ComputableBank): boolean => {
    try {
      const log = { bytes, digestLength: BANKS[bank].length }
      const entry = readEntry(log, { bytes, offset: 0 }, 0)
      return isViolation(entry) || equal(entry.digest, templateHash(entry, bank))
    } catch (error) {
      if (error instanceof ImaError) return false
      throw error
    }
  }
  return COMPUTABLE_BANKS.find(fits) ?? 'sha1'
}

function truncated({ bytes, offset }: Cursor, length: number, index: number): ImaError {
  return malformed(
    index,
    `expected ${length} more bytes at offset ${offset}, found ${Math.max(0, bytes.length - offset)}`,
  )
}

function malformed(index: number, message: string): ImaError {
  return new ImaError('IMA_MALFORMED', `entry ${index}: ${message}`)
}
