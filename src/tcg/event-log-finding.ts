/**
 * What is remarkable about a firmware event log (docs/cli.md says what each means).
 *
 * How the log is written: `TRAILING_PADDING`, `ALGORITHM_UNKNOWN`, `DIGEST_MISSING`, `SHA1_ONLY`, `DATA_MALFORMED`,
 * `LOCALITY_INVALID`. What its digests say: `DIGEST_MISMATCH`, `DIGESTS_DISAGREE`, `TYPE_SWAPPED`, `SEPARATOR_ERROR`. Why something
 * is not stated about the boot: `SEPARATOR_MISSING`, `SEPARATOR_REPEATED`, `VARIABLE_REPEATED`, `VARIABLE_AFTER_SEPARATOR`,
 * `VARIABLE_INVALID`, `EVENT_UNEXPLAINED`, `AUTHORITIES_AMBIGUOUS`, `BOOT_ORDER_AMBIGUOUS`, `COMMAND_LINE_AMBIGUOUS`. How it
 * compares with PCRs: `PCR_MISMATCH`, `PCR_NOT_IN_LOG`, `BANK_NOT_IN_LOG`, `NOTHING_COMPARED`.
 */
export type FindingCode =
  | 'TRAILING_PADDING'
  | 'ALGORITHM_UNKNOWN'
  | 'DIGEST_MISSING'
  | 'SHA1_ONLY'
  | 'DATA_MALFORMED'
  | 'LOCALITY_INVALID'
  | 'DIGEST_MISMATCH'
  | 'DIGESTS_DISAGREE'
  | 'TYPE_SWAPPED'
  | 'SEPARATOR_ERROR'
  | 'SEPARATOR_MISSING'
  | 'SEPARATOR_REPEATED'
  | 'VARIABLE_REPEATED'
  | 'VARIABLE_AFTER_SEPARATOR'
  | 'VARIABLE_INVALID'
  | 'EVENT_UNEXPLAINED'
  | 'AUTHORITIES_AMBIGUOUS'
  | 'BOOT_ORDER_AMBIGUOUS'
  | 'COMMAND_LINE_AMBIGUOUS'
  | 'PCR_MISMATCH'
  | 'PCR_NOT_IN_LOG'
  | 'BANK_NOT_IN_LOG'
  | 'NOTHING_COMPARED'

/** Something remarkable. */
export interface Finding {
  readonly code: FindingCode
  /** The event's index, null where it is about no single event. */
  readonly event: number | null
  /** In words, for people; never obeyed by a terminal. */
  readonly detail: string
}
