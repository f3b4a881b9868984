import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { ReadError } from '../core/reader.ts'
import { bankOf, type BankName } from './bank.ts'
import { PcrFileError } from './pcr-file-error.ts'

/** One value of a PCR file, as it stands there. */
export interface PcrFileEntry {
  readonly bank: BankName
  readonly pcr: number
  readonly value: Uint8Array
}

/**
 * The C structures that tpm2_quote writes as they lie in memory, with numbers little-endian: one TPML_PCR_SELECTION of 16 entries of 8
 * bytes, a count, and so many TPML_DIGESTs of 8 entries of 66 bytes (tpm2-tools, "PCR serialized format").
 */
const LAYOUT = { selections: 16, selectionBytes: 8, selectBytes: 4, digests: 8, digestBytes: 64, lists: 48 } as const

/**
 * Reads what tpm2_quote writes with `--pcr`: the values in the order of the selection. Entries that the counts leave unused are memory
 * nobody wrote, and are not looked at.
 *
 * @param bytes untrusted
 * @throws PcrFileError `PCR_FILE_INVALID`
 */
export function readSerializedPcrs(bytes: Uint8Array): readonly PcrFileEntry[] {
  const reader = new LittleEndianReader(bytes)
  try {
    const selected = readSelections(reader)
    const values = readDigests(reader)
    reader.end('PCR values')
    if (values.length !== selected.length) {
      return invalid(`expected the values of ${selected.length} PCRs that are selected, found ${values.length}`)
    }
    return selected.map(({ bank, pcr }, i) => ({ bank, pcr, value: values[i] ?? new Uint8Array() }))
  } catch (cause) {
    if (cause instanceof ReadError) throw new PcrFileError('PCR_FILE_INVALID', cause.message, { cause })
    throw cause
  }
}

function readSelections(reader: LittleEndianReader): readonly { readonly bank: BankName; readonly pcr: number }[] {
  const count = bounded(reader.u32(), LAYOUT.selections, 'selections')
  const selected: { bank: BankName; pcr: number }[] = []
  for (let i = 0; i < LAYOUT.selections; i++) {
    const entry = new LittleEndianReader(reader.bytes(LAYOUT.selectionBytes))
    if (i >= count) continue
    const bank = bankOf(entry.u16())
    const size = bounded(entry.u8(), LAYOUT.selectBytes, 'select bytes')
    entry.bytes(size).forEach((bits, byte) => {
      for (let bit = 0; bit < 8; bit++) {
        if (((bits >> bit) & 1) === 0) continue
        selected.push({ bank: bank ?? invalid('expected a bank that is known'), pcr: 8 * byte + bit })
      }
    })
  }
  return selected
}

function readDigests(reader: LittleEndianReader): readonly Uint8Array[] {
  const lists = bounded(reader.u32(), LAYOUT.lists, 'lists of digests')
  const values: Uint8Array[] = []
  for (let list = 0; list < lists; list++) {
    const count = bounded(reader.u32(), LAYOUT.digests, 'digests')
    for (let i = 0; i < LAYOUT.digests; i++) {
      const size = reader.u16()
      const buffer = reader.bytes(LAYOUT.digestBytes)
      if (i < count) values.push(buffer.subarray(0, bounded(size, LAYOUT.digestBytes, 'bytes of a digest')))
    }
  }
  return values
}

function bounded(count: number, max: number, what: string): number {
  return count <= max ? count : invalid(`expected at most ${max} ${what}, found ${count}`)
}

function invalid(message: string): never {
  throw new PcrFileError('PCR_FILE_INVALID', message)
}
