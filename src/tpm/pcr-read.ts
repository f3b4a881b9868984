import { Reader } from '../core/reader.ts'
import type { TpmConnection, Wire } from './commands.ts'
import { TpmError } from './error.ts'

const TPM_CC_PCR_READ = 0x17e
/** A TPML_DIGEST holds at most this many (TPM 2.0 Part 2, 10.9.5). */
const MAX_DIGESTS = 8

/** What a TPM gives of the PCRs that it is asked for: as many as fit into an answer. */
export interface PcrPart<Selection> {
  /** Of all PCRs of the TPM: changes with each that is extended. */
  readonly updateCounter: number
  /** Of which PCRs the values are. */
  readonly given: Selection
  /** In the order of their numbers. */
  readonly values: readonly Uint8Array[]
}

/**
 * Reads PCRs once (TPM 2.0 Part 3, TPM2_PCR_Read).
 *
 * @param selection TPML_PCR_SELECTION of one bank
 * @param readSelection reads such a list from the front of an answer
 * @param length of the bank's digests
 * @throws TpmError `RESPONSE_UNEXPECTED`; ReadError, TcgError
 */
export function pcrRead<Selection>(
  connection: TpmConnection,
  selection: Wire,
  readSelection: (reader: Reader) => Selection,
  length: number,
): PcrPart<Selection> {
  const reader = new Reader(connection.send('PCR_Read', TPM_CC_PCR_READ, selection))
  const [updateCounter, given, count] = [reader.u32(), readSelection(reader), reader.u32()]
  if (count > MAX_DIGESTS) throw unexpected(`at most ${MAX_DIGESTS} PCR values, found ${count}`)
  const values = Array.from({ length: count }, () => reader.sized16(length))
  reader.end('TPML_DIGEST')
  if (values.some((value) => value.length !== length)) throw unexpected(`PCR values of ${length} bytes`)
  return { updateCounter, given, values }
}

function unexpected(what: string): TpmError {
  return new TpmError('RESPONSE_UNEXPECTED', `expected ${what}`)
}
