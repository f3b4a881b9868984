import type { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { HASHES, hashNameOf, type HashName } from './algorithm.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'

/** Some PCRs of one bank. */
export interface PcrSelection {
  readonly bank: HashName
  /** Ascending, distinct, 0 to 23. */
  readonly pcrs: readonly number[]
}

/** How many PCRs a bank has (TCG PC Client Platform TPM Profile, "PCR attributes"). */
export const PCR_COUNT = 24

/** The PCRs that software may reset at will: debugging and applications (PC Client Platform TPM Profile, "PCR attributes"). */
export const RESETTABLE_PCRS: readonly number[] = [16, 23]

const SELECT_BYTES = PCR_COUNT / 8
const MAX_SELECTIONS = Object.keys(HASHES).length

/**
 * A TPML_PCR_SELECTION with one entry and three select bytes, as TPMs give it (TPM 2.0 Part 2, 10.9.7).
 *
 * @throws TcgError `SELECTION_EMPTY`, `SELECTION_INVALID`
 */
export function encodePcrSelection(selection: PcrSelection): Uint8Array<ArrayBuffer> {
  const { bank, pcrs } = requirePcrSelection(selection)
  const select = new Uint8Array(SELECT_BYTES)
  for (const pcr of pcrs) select[pcr >> 3] = (select[pcr >> 3] ?? 0) | (1 << (pcr & 7))
  return new Writer().u32(1).u16(HASHES[bank].algorithm).u8(SELECT_BYTES).bytes(select).finish()
}

/**
 * Decodes a TPML_PCR_SELECTION. Entries without a PCR are left to the caller: a TPM answers a read of nothing with them.
 *
 * @param bytes untrusted
 * @throws TcgError `MALFORMED`, `SELECTION_INVALID`, `SELECTION_BANK`, `SELECTION_REPEATED`
 */
export function decodePcrSelections(bytes: Uint8Array): readonly PcrSelection[] {
  return decodeWhole('TPML_PCR_SELECTION', bytes, readPcrSelections)
}

/**
 * Reads a TPML_PCR_SELECTION from the front; see `decodePcrSelections`.
 *
 * @param expected how many entries there must be, where that is known
 */
export function readPcrSelections(reader: Reader, expected?: number): readonly PcrSelection[] {
  const count = reader.u32()
  if (count > MAX_SELECTIONS || count !== (expected ?? count)) {
    const number = expected ?? `at most ${MAX_SELECTIONS}`
    throw new TcgError('SELECTION_INVALID', `expected ${number} PCR selections, found ${count}`)
  }
  const selections: PcrSelection[] = []
  for (let i = 0; i < count; i++) {
    const selection = readOne(reader)
    if (selections.some(({ bank }) => bank === selection.bank)) {
      throw new TcgError('SELECTION_REPEATED', `the bank ${selection.bank} is selected twice`)
    }
    selections.push(selection)
  }
  return selections
}

/**
 * Returns the selection where it selects something and is written in the one way it can be.
 *
 * @throws TcgError `SELECTION_EMPTY`, `SELECTION_INVALID`
 */
export function requirePcrSelection(selection: PcrSelection): PcrSelection {
  const { pcrs } = selection
  if (pcrs.length === 0) throw new TcgError('SELECTION_EMPTY', 'expected at least one PCR')
  pcrs.forEach((pcr, i) => {
    const before = pcrs[i - 1] ?? -1
    if (!Number.isInteger(pcr) || pcr <= before || pcr >= PCR_COUNT) {
      throw new TcgError(
        'SELECTION_INVALID',
        `expected ascending PCRs from 0 to ${PCR_COUNT - 1}, found ${pcrs.join(',')}`,
      )
    }
  })
  return selection
}

/**
 * Requires that selections prove something: each has a PCR, and none has one that anybody can reset.
 *
 * @throws TcgError `SELECTION_EMPTY`, `SELECTION_RESETTABLE`
 */
export function requireMeaningful(selections: readonly PcrSelection[]): void {
  for (const { bank, pcrs } of selections) {
    if (pcrs.length === 0) throw new TcgError('SELECTION_EMPTY', `expected at least one PCR of ${bank}`)
    const resettable = pcrs.filter((pcr) => RESETTABLE_PCRS.includes(pcr))
    if (resettable.length > 0) {
      throw new TcgError('SELECTION_RESETTABLE', `expected no PCR that can be reset, found ${resettable.join(',')}`)
    }
  }
}

function readOne(reader: Reader): PcrSelection {
  const algorithm = reader.u16()
  const bank = hashNameOf(algorithm)
  if (bank === undefined) {
    throw new TcgError('SELECTION_BANK', `expected the bank SHA-256 or SHA-384, found 0x${algorithm.toString(16)}`)
  }
  // A TPM with 24 PCRs takes and gives three bytes, no fewer and no more: PCR_SELECT_MIN and PCR_SELECT_MAX.
  const size = reader.u8()
  if (size !== SELECT_BYTES) {
    throw new TcgError('SELECTION_INVALID', `expected ${SELECT_BYTES} select bytes, found ${size}`)
  }
  const select = reader.bytes(size)
  const pcrs: number[] = []
  for (let pcr = 0; pcr < PCR_COUNT; pcr++) {
    if (((select[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) pcrs.push(pcr)
  }
  return { bank, pcrs }
}
