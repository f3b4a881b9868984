import { CodedError } from '../core/error.ts'

/**
 * Why a file of PCR values was refused.
 *
 * - `PCR_FILE_TOO_LARGE`: beyond its bound
 * - `PCR_FILE_FORMAT`: in none of the forms that are known
 * - `PCR_FILE_INVALID`: in a known form, with a PCR, a bank or a value that cannot be, or with bytes missing or too many
 * - `PCR_FILE_REPEATED`: a PCR that stands there twice
 * - `PCR_FILE_EMPTY`: without a value
 */
export type PcrFileErrorCode =
  'PCR_FILE_TOO_LARGE' | 'PCR_FILE_FORMAT' | 'PCR_FILE_INVALID' | 'PCR_FILE_REPEATED' | 'PCR_FILE_EMPTY'

/** A file of PCR values that cannot be used. */
export class PcrFileError extends CodedError<PcrFileErrorCode> {}
