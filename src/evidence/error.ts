import { CodedError } from '../core/error.ts'

/**
 * Why evidence or an endorsement cannot be verified. A policy that says no is not among them: that is an attestation result.
 *
 * - `EVIDENCE_MALFORMED`: a file of evidence that is none
 * - `EVIDENCE_UNSUITABLE`: evidence of a state that nobody should make a policy of
 * - `PCR_VALUES`: values that do not fit the selection
 * - `QUOTE_MALFORMED`: no quote, or not its one encoding
 * - `QUOTE_KEY`: another attestation key came with the quote
 * - `QUOTE_SIGNER`, `QUOTE_NONCE`, `QUOTE_SIGNATURE`: made by another key, for another purpose, or not at all
 * - `AK_UNSUITABLE`: a key whose quotes are worth nothing
 * - `EK_UNSUITABLE`: an EK that does not follow a template of the TCG
 * - `CERTIFICATE_MALFORMED`, `TRUST_ANCHOR_MALFORMED`: not a certificate
 * - `CERTIFICATE_USAGE`: the EK certificate is not one
 * - `CERTIFICATE_OTHER_KEY`: the EK certificate is for another EK
 * - `CHAIN_INCOMPLETE`: no path to a root among the trust anchors
 * - `CHAIN_SIGNATURE`, `CHAIN_EXPIRED`, `CHAIN_AUTHORITY`, `CHAIN_ALGORITHM`, `CHAIN_EXTENSION`: the path that came furthest
 *   breaks on a signature, a validity period, an issuer that may not issue, a weak algorithm, an unknown critical extension
 */
export type EvidenceErrorCode =
  | 'EVIDENCE_MALFORMED'
  | 'EVIDENCE_UNSUITABLE'
  | 'PCR_VALUES'
  | 'QUOTE_MALFORMED'
  | 'QUOTE_KEY'
  | 'QUOTE_SIGNER'
  | 'QUOTE_NONCE'
  | 'QUOTE_SIGNATURE'
  | 'AK_UNSUITABLE'
  | 'EK_UNSUITABLE'
  | 'CERTIFICATE_MALFORMED'
  | 'CERTIFICATE_USAGE'
  | 'CERTIFICATE_OTHER_KEY'
  | 'TRUST_ANCHOR_MALFORMED'
  | 'CHAIN_INCOMPLETE'
  | 'CHAIN_SIGNATURE'
  | 'CHAIN_EXPIRED'
  | 'CHAIN_AUTHORITY'
  | 'CHAIN_ALGORITHM'
  | 'CHAIN_EXTENSION'

/** Evidence or an endorsement that cannot be verified. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {}
