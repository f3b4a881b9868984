import { CodedError } from '../core/error.ts'

/**
 * Why a firmware event log was refused.
 *
 * - `LOG_EMPTY`, `LOG_TOO_LARGE`: without an event, or beyond the bounds in bytes or events
 * - `LOG_TRUNCATED`: an event that goes on past the log's end, or bytes behind the last event that are no padding
 * - `LOG_HEADER`: a Spec ID event that is cut, or has no algorithm, or too many
 * - `LOG_ALGORITHM`: an algorithm that the header has twice, or with another length than it has
 * - `EVENT_ALGORITHM`: a digest of an algorithm that the header has not, or one that the event has twice, or none at all
 * - `EVENT_PCR`: an event that extends a PCR that does not exist
 */
export type EventLogErrorCode =
  'LOG_EMPTY' | 'LOG_TOO_LARGE' | 'LOG_TRUNCATED' | 'LOG_HEADER' | 'LOG_ALGORITHM' | 'EVENT_ALGORITHM' | 'EVENT_PCR'

/** A firmware event log that cannot be read. */
export class EventLogError extends CodedError<EventLogErrorCode> {}
