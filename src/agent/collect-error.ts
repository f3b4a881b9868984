import { CodedError } from '../core/error.ts'

/**
 * - `PCR_MOVED`: the PCRs kept changing while they were quoted
 * - `LOG_UNREADABLE`: a log is there and may not be read
 */
export type CollectErrorCode = 'PCR_MOVED' | 'LOG_UNREADABLE'

/** Why no evidence was collected. */
export class CollectError extends CodedError<CollectErrorCode> {}
