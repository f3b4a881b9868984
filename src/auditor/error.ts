import { CodedError } from '../core/error.ts'

/**
 * Why an audit could not be begun. What it finds is never an error: that stands in its report.
 *
 * - `TRUST_STORE_UNREADABLE`: the directory, or a file in it, cannot be read
 * - `TRUST_STORE_EMPTY`: no certificate in it, so that no host could ever be verified
 * - `TRUST_STORE_MALFORMED`: a file in it that holds no certificate, or one that cannot be parsed
 * - `PROPOSAL_UNKNOWN`: a VMM is to be appraised that nobody proposed on this ledger
 */
export type AuditErrorCode =
  'TRUST_STORE_UNREADABLE' | 'TRUST_STORE_EMPTY' | 'TRUST_STORE_MALFORMED' | 'PROPOSAL_UNKNOWN'

/** An audit that could not be begun. */
export class AuditError extends CodedError<AuditErrorCode> {}
