import { CodedError } from '../src/core/error.ts'

/**
 * Why tpm2-tss could not be used.
 *
 * - `LIBRARY_MISSING`, `LIBRARY_VERSION`: it is not installed, or has not the functions that 3.0 and later have
 * - `CALL_FAILED`: a function gave a return code other than success
 */
export type TssErrorCode = 'LIBRARY_MISSING' | 'LIBRARY_VERSION' | 'CALL_FAILED'

/** A failure of tpm2-tss, or of the TPM below it. */
export class TssError extends CodedError<TssErrorCode> {
  /** The TSS2_RC, with its layer in bits 16 to 23; 0 where no function was called. */
  readonly rc: number
  /** The function's name without its prefix, `Quote` for example. */
  readonly command: string

  constructor(code: TssErrorCode, message: string, at: { rc: number; command: string }, options?: ErrorOptions) {
    super(code, message, options)
    this.rc = at.rc
    this.command = at.command
  }
}
