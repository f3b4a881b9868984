import { CodedError } from '../../src/core/error.ts'

/**
 * - `DIRECTORY_IN_USE`: the directory has something else in it than a stack
 * - `PATH_TOO_LONG`: the directory's path leaves no room for a Unix socket
 * - `STATE_INVALID`: the stack's own notes cannot be read
 * - `PROGRAM_MISSING`: a program or module that the stack needs is not installed
 * - `TPM_FAILED`, `HSM_FAILED`, `LEDGER_FAILED`: the software TPM, the token or the development ledger cannot be made,
 *   started or asked
 * - `PROCESS_ENDED`, `NOT_READY`: another process ended while it was starting, or took too long
 */
export type StackErrorCode =
  | 'DIRECTORY_IN_USE'
  | 'PATH_TOO_LONG'
  | 'STATE_INVALID'
  | 'PROGRAM_MISSING'
  | 'TPM_FAILED'
  | 'HSM_FAILED'
  | 'LEDGER_FAILED'
  | 'PROCESS_ENDED'
  | 'NOT_READY'

/** Why there is no local stack. */
export class StackError extends CodedError<StackErrorCode> {}

/** The failure of a part, under its own code; what already says what to do stays as it is. */
export function partFailure(code: StackErrorCode, thrown: unknown): unknown {
  if (!(thrown instanceof StackError) || (thrown.code !== 'PROCESS_ENDED' && thrown.code !== 'NOT_READY')) return thrown
  return new StackError(code, thrown.message, { cause: thrown })
}
