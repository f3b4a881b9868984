import { fromHex } from '../core/bytes.ts'
import { BANKS, type BankName, type PcrValues } from './bank.ts'
import { PcrFileError } from './pcr-file-error.ts'
import { readSerializedPcrs, type PcrFileEntry } from './pcr-file-binary.ts'
import { PCR_COUNT } from './pcr-selection.ts'

/** The largest file of PCR values, in bytes. */
export const MAX_PCR_FILE_BYTES = 1024 * 1024

/** Banks that a TPM may have and that Attestry does not know: what stands under such a heading is left out. */
const FOREIGN_BANKS: readonly string[] = ['sha3_256', 'sha3_384', 'sha3_512']

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Reads a file of PCR values, in whichever of four forms it is: the YAML of tpm2_pcrread (and of tpm2_eventlog's `pcrs`), lines
 * `bank index hex` as sysfs has them, JSON `{"pcrs": {"sha256": {"0": "0x…"}}}` whose other members are ignored, and what
 * tpm2_quote writes with `--pcr`. The values are believed by nobody: they are compared with a quote, or with a TPM.
 *
 * @param bytes untrusted; at most 1 MiB
 * @returns by bank, each with at least one value, PCRs ascending
 * @throws PcrFileError
 */
export function parsePcrFile(bytes: Uint8Array): ReadonlyMap<BankName, PcrValues> {
  if (bytes.length > MAX_PCR_FILE_BYTES) {
    const message = `expected at most ${MAX_PCR_FILE_BYTES} bytes of PCR values, found ${bytes.length}`
    throw new PcrFileError('PCR_FILE_TOO_LARGE', message)
  }
  // Text has no zero byte, and tpm2_quote's file begins with a small number in four bytes.
  const entries = bytes.includes(0) ? readSerializedPcrs(bytes) : textEntries(bytes)
  const banks = new Map<BankName, Map<number, Uint8Array>>()
  for (const entry of entries) add(banks, entry)
  if (banks.size === 0) throw new PcrFileError('PCR_FILE_EMPTY', 'expected the value of at least one PCR')
  return new Map([...banks].map(([bank, values]) => [bank, new Map([...values].sort(([a], [b]) => a - b))]))
}

function add(banks: Map<BankName, Map<number, Uint8Array>>, { bank, pcr, value }: PcrFileEntry): void {
  if (!Number.isInteger(pcr) || pcr < 0 || pcr >= PCR_COUNT) {
    throw new PcrFileError('PCR_FILE_INVALID', `expected a PCR from 0 to ${PCR_COUNT - 1}, found ${pcr}`)
  }
  if (value.length !== BANKS[bank].length) {
    const message = `expected ${BANKS[bank].length} bytes for PCR ${pcr} of ${bank}, found ${value.length}`
    throw new PcrFileError('PCR_FILE_INVALID', message)
  }
  const values = banks.get(bank) ?? new Map<number, Uint8Array>()
  if (values.has(pcr)) throw new PcrFileError('PCR_FILE_REPEATED', `PCR ${pcr} of ${bank} stands there twice`)
  banks.set(bank, values.set(pcr, value))
}

function textEntries(bytes: Uint8Array): readonly PcrFileEntry[] {
  const text = decodeText(bytes)
  if (text.trimStart().startsWith('{')) return jsonEntries(text)
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  return lines[0] !== undefined && sysfsLine.test(lines[0]) ? lines.flatMap(sysfsEntry) : yamlEntries(lines)
}

function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (cause) {
    throw new PcrFileError('PCR_FILE_FORMAT', 'expected text in UTF-8, or what tpm2_quote writes', { cause })
  }
}

const sysfsLine = /^\s*([a-z][a-z0-9_-]*)\s+(\d{1,2})\s+(?:0x)?([0-9a-fA-F]+)\s*$/

function sysfsEntry(line: string): readonly PcrFileEntry[] {
  const [, name = '', pcr = '', value = ''] =
    sysfsLine.exec(line) ?? invalid(`expected "bank index hex", found ${line}`)
  const bank = bankNamed(name)
  return bank === undefined ? [] : [{ bank, pcr: Number(pcr), value: valueOf(`0x${value}`) }]
}

/** A heading a bank, then lines `index : 0xvalue`. A bank that is not allocated has a heading and no lines. */
function yamlEntries(lines: readonly string[]): readonly PcrFileEntry[] {
  const entries: PcrFileEntry[] = []
  let bank: BankName | undefined
  let headings = 0
  for (const line of lines) {
    const value = /^\s*(\d{1,2})\s*:\s*(0x[0-9a-fA-F]+)\s*$/.exec(line)
    const heading = /^\s*([a-z][a-z0-9_-]*)\s*:\s*$/.exec(line)?.[1]
    if (value !== null && headings > 0) {
      if (bank !== undefined) entries.push({ bank, pcr: Number(value[1]), value: valueOf(value[2] ?? '') })
    } else if (heading === 'pcrs' && headings === 0) {
      continue
    } else if (heading !== undefined) {
      bank = bankNamed(heading)
      headings++
    } else {
      throw new PcrFileError(
        'PCR_FILE_FORMAT',
        `expected PCR values as tpm2_pcrread prints them, found ${excerpt(line)}`,
      )
    }
  }
  return entries
}

function jsonEntries(text: string): readonly PcrFileEntry[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw new PcrFileError('PCR_FILE_FORMAT', 'expected JSON', { cause })
  }
  const banks = objectOf(objectOf(parsed, 'an object')['pcrs'], 'an object under "pcrs"')
  return Object.entries(banks).flatMap(([name, values]) => {
    const bank = bankNamed(name)
    return Object.entries(objectOf(values, `an object under "${name}"`)).flatMap(([pcr, value]) => {
      if (!/^\d{1,2}$/.test(pcr) || typeof value !== 'string') return invalid('expected values by the PCR’s number')
      return bank === undefined ? [] : [{ bank, pcr: Number(pcr), value: valueOf(value) }]
    })
  })
}

function objectOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new PcrFileError('PCR_FILE_FORMAT', `expected ${what}`)
}

/** The bank with a name, undefined for one to be left out. A name that nobody knows is a misspelling, and refused. */
function bankNamed(name: string): BankName | undefined {
  const written = name.replace('-', '_')
  if (Object.hasOwn(BANKS, written)) return written as BankName
  return FOREIGN_BANKS.includes(written) ? undefined : invalid(`expected the name of a bank, found ${excerpt(name)}`)
}

function valueOf(text: string): Uint8Array {
  try {
    return fromHex(text)
  } catch (cause) {
    throw new PcrFileError('PCR_FILE_INVALID', `expected hexadecimal, found ${excerpt(text)}`, { cause })
  }
}

/** The beginning of what was found, without what a terminal would obey. */
function excerpt(text: string): string {
  return JSON.stringify(text.slice(0, 40))
}

function invalid(message: string): never {
  throw new PcrFileError('PCR_FILE_INVALID', message)
}
