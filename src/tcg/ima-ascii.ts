import { fromHex, concat } from '../core/bytes.ts'
import { BANKS } from './bank.ts'
import { COMPUTABLE_BANKS, type ComputableBank } from './hash.ts'
import { ImaError } from './ima-error.ts'
import { MAX_IMA_LOG, type ImaEntry, type ImaLog } from './ima-log.ts'
import { readMeasurement } from './ima-measurement.ts'
import { fieldsOf, OLD_NAME, requireTemplateName, type ImaField } from './ima-template.ts'
import { PCR_COUNT } from './pcr-selection.ts'

/**
 * Decodes an ascii log (`ascii_runtime_measurements`): its template data are made again from what is printed. The kernel prints
 * names as they are, so a name with a line end makes two lines that are refused, or whose digests are not those of their data;
 * the binary log has no such doubt. A template that is not known cannot be made again and is refused.
 *
 * @param bytes untrusted; at most 128 MiB
 * @throws ImaError `IMA_TOO_LARGE`, `IMA_MALFORMED`, `IMA_FIELD`
 */
export function decodeAsciiImaLog(bytes: Uint8Array): ImaLog {
  if (bytes.length > MAX_IMA_LOG) {
    throw new ImaError('IMA_TOO_LARGE', `expected at most ${MAX_IMA_LOG} bytes of log, found ${bytes.length}`)
  }
  const entries: ImaEntry[] = []
  let bank: ComputableBank | undefined
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(LINE_END, start)
    if (end < 0) throw malformed(entries.length, 'expected a line end behind the last entry')
    const entry = readLine(bytes.subarray(start, end), entries.length)
    bank ??= COMPUTABLE_BANKS.find((name) => BANKS[name].length === entry.digest.length)
    if (bank === undefined || entry.digest.length !== BANKS[bank].length) {
      throw malformed(entries.length, `expected a digest as long as the others, found ${entry.digest.length} bytes`)
    }
    entries.push(entry)
    start = end + 1
  }
  return { bank: bank ?? 'sha1', entries }
}

/** Whether a log is in the ascii form: it begins with a number or a space, where the binary form has a PCR below 24. */
export function isAsciiImaLog(bytes: Uint8Array): boolean {
  const [first = 0] = bytes
  return first >= PCR_COUNT
}

const LINE_END = 0x0a
const SPACE = 0x20
const LONGEST_NUMBER = 10

/** PCR in two columns, template digest, template name, and the fields, each with a space in front. */
function readLine(line: Uint8Array, index: number): ImaEntry {
  const parts = splitLine(line)
  const [pcr = '', digest = '', template = ''] = parts.slice(0, 3).map(latin1)
  if (!/^ \d$|^\d\d$/.test(pcr) || Number(pcr) >= PCR_COUNT) {
    throw malformed(index, `expected a PCR from 0 to ${PCR_COUNT - 1} in two columns`)
  }
  const fields = fieldsOf(requireTemplateName(template))
  if (fields === undefined) {
    throw malformed(index, `the template ${template} is not known: its data cannot be told from what is printed`)
  }
  const words = joinName(parts.slice(3), fields)
  if (words.length !== fields.length) {
    throw malformed(index, `expected ${fields.length} fields of ${template}, found ${words.length}`)
  }
  const entry = {
    pcr: Number(pcr),
    digest: unhex(digest, index),
    template,
    data: concat(...fields.map((field, i) => fieldData(field, words[i] ?? new Uint8Array(), index))),
  }
  readMeasurement(template, entry.data)
  return entry
}

/** The line at its spaces; the first number is padded with one. */
function splitLine(line: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let start = 0, from = 1; start <= line.length; from = start) {
    const space = line.indexOf(SPACE, from)
    const end = space < 0 ? line.length : space
    parts.push(line.subarray(start, end))
    start = end + 1
  }
  return parts
}

/** Old kernels leave spaces in names. No other field has any, so what is too many is the name's. */
function joinName(words: readonly Uint8Array[], fields: readonly ImaField[]): readonly Uint8Array[] {
  const more = words.length - fields.length
  if (more <= 0) return words
  const at = fields.findIndex((field) => field === 'n' || field === 'n-ng')
  const name = words.slice(at, at + more + 1).flatMap((word, i) => (i === 0 ? [word] : [Uint8Array.of(SPACE), word]))
  return [...words.slice(0, at), concat(...name), ...words.slice(at + more + 1)]
}

/** A field's data, with its length in front where the template's data have one. */
function fieldData(field: ImaField, word: Uint8Array, index: number): Uint8Array {
  const text = () => latin1(word)
  switch (field) {
    case 'd':
      return unhex(text(), index)
    case 'n':
      if (word.length >= OLD_NAME) throw malformed(index, `expected a name of fewer than ${OLD_NAME} bytes`)
      return sized(word)
    case 'd-ng':
    case 'd-ngv2':
      return sized(namedDigest(text(), index))
    case 'd-modsig':
      return sized(word.length === 0 ? word : namedDigest(text(), index))
    case 'n-ng':
      return sized(concat(word, Uint8Array.of(0)))
    case 'xattrnames':
      return sized(word.length === 0 ? word : concat(word, Uint8Array.of(0)))
    case 'iuid':
    case 'igid':
      return sized(number(text(), 4, index))
    case 'imode':
      return sized(number(text(), 2, index))
    case 'sig':
    case 'buf':
    case 'modsig':
    case 'evmsig':
    case 'xattrlengths':
    case 'xattrvalues':
      return sized(unhex(text(), index))
  }
}

function namedDigest(text: string, index: number): Uint8Array {
  const colon = text.lastIndexOf(':') + 1
  return concat(ascii(text.slice(0, colon)), Uint8Array.of(0), unhex(text.slice(colon), index))
}

function number(text: string, length: number, index: number): Uint8Array {
  const value = Number(text)
  if (!/^(?:0|[1-9]\d*)$/.test(text) || text.length > LONGEST_NUMBER || value >= 256 ** length) {
    throw malformed(index, `expected a number of ${length} bytes`)
  }
  return Uint8Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) & 0xff)
}

function sized(value: Uint8Array): Uint8Array {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, value.length, true)
  return concat(length, value)
}

function unhex(text: string, index: number): Uint8Array {
  if (/[A-F]/.test(text)) throw malformed(index, 'expected hexadecimal in lower case')
  try {
    return fromHex(`0x${text}`)
  } catch (cause) {
    throw new ImaError('IMA_MALFORMED', `entry ${index}: expected hexadecimal`, { cause })
  }
}

function latin1(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return text
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff)
}

function malformed(index: number, message: string): ImaError {
  return new ImaError('IMA_MALFORMED', `entry ${index}: ${message}`)
}
