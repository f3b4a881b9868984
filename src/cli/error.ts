import { CodedError } from '../core/error.ts'

/** A command that was called wrongly, or with files that do not serve. */
export class UsageError extends CodedError<'USAGE' | 'FILE_UNREADABLE' | 'FILE_UNWRITABLE' | 'STACK_MISSING'> {}

/** An appraisal with a claim that did not pass: evidence says no. */
export class AppraisalError extends CodedError<'CLAIM_FAILED'> {}
