import { CodedError } from '../core/error.ts'

/** A command that was called wrongly, or with files that do not serve. */
export class UsageError extends CodedError<
  'USAGE' | 'FILE_UNREADABLE' | 'FILE_UNWRITABLE' | 'FILE_EXISTS' | 'STACK_MISSING'
> {}

/** An operation without a result, whose record's receipt was kept. Has the agent's own code. */
export class RefusalOnRecord extends CodedError {
  readonly receiptFile: string

  constructor(code: string, message: string, receiptFile: string, options?: ErrorOptions) {
    super(code, `${message}; its receipt is ${receiptFile}`, options)
    this.receiptFile = receiptFile
  }
}

/** An appraisal with a claim that did not pass: evidence says no. */
export class AppraisalError extends CodedError<'CLAIM_FAILED'> {}
