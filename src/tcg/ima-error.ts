import { CodedError } from '../core/error.ts'

/**
 * Why an IMA measurement log was refused.
 *
 * - `IMA_TOO_LARGE`: a log beyond its bounds
 * - `IMA_MALFORMED`: truncated, a length or a number out of its bounds, or a line that is no entry
 * - `IMA_FIELD`: template data that its template cannot have made
 */
export type ImaErrorCode = 'IMA_TOO_LARGE' | 'IMA_MALFORMED' | 'IMA_FIELD'

/** An IMA measurement log that cannot be read. */
export class ImaError extends CodedError<ImaErrorCode> {}
