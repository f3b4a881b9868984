import { CodedError } from '../core/error.ts'

/**
 * Why an audit could not be begun. What it finds is never an error: that stands in its report.
 *
 * - `TRUST_STORE_UNREADABLE`: the directory, or a file in it, cannot be read
 * - `TRUST_STORE_EMPTY`: no certificate in it, so that no host could ever be verified
 * - `TRUST_STORE_MALFORMED`: a file in it that holds no certificate, or one that cannot be parsed
 * - `TRUST_STORE_PRIVATE_KEY`: a file with a private key in it, which belongs nowhere near a trust store
 * - `TRUST_STORE_NOT_AUTHORITY`: a certificate that may issue none, or a root whose signature is not its own
 * - `TRUST_STORE_NOT_ROOT`: hardware is told by its root, and this is none
 * - `TRUST_STORE_UNWRITABLE`: the directory, or a file in it, cannot be written
 * - `REVOCATION_LIST_OLDER`: a revocation list older than one that was seen before
 * - `REVOCATION_LIST_UNKNOWN`: a revocation list that no authority of the trust store signed
 * - `PROPOSAL_UNKNOWN`: a VMM is to be appraised that nobody proposed on this ledger
 */
export type AuditErrorCode =
  | 'TRUST_STORE_UNREADABLE'
  | 'TRUST_STORE_EMPTY'
  | 'TRUST_STORE_MALFORMED'
  | 'TRUST_STORE_PRIVATE_KEY'
  | 'TRUST_STORE_NOT_AUTHORITY'
  | 'TRUST_STORE_NOT_ROOT'
  | 'TRUST_STORE_UNWRITABLE'
  | 'REVOCATION_LIST_OLDER'
  | 'REVOCATION_LIST_UNKNOWN'
  | 'PROPOSAL_UNKNOWN'

/** An audit that could not be begun. */
export class AuditError extends CodedError<AuditErrorCode> {}
