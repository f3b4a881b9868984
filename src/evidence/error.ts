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
 * - `CHAIN_KEY_ID`: the certificate names another key of its issuer than the one that is there
 * - `CHAIN_SEARCH`: so many certificates, or so many of equal names, that no path was looked for to the end
 * - `CERTIFICATE_REVOKED`: by its issuer's revocation list
 * - `CRL_MALFORMED`, `CRL_EXTENSION`: no revocation list, or not a complete one of its issuer
 * - `CRL_SIGNATURE`, `CRL_ALGORITHM`, `CRL_AUTHORITY`: a list that its issuer did not sign, with a weak algorithm, or may not sign
 * - `CRL_NOT_CURRENT`, `CRL_OLDER`: a list that is not of the time in question, or older than one that was seen before
 * - `CRL_MISSING`: a list is required and there is none
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
  | 'CHAIN_KEY_ID'
  | 'CHAIN_SEARCH'
  | 'CERTIFICATE_REVOKED'
  | 'CRL_MALFORMED'
  | 'CRL_EXTENSION'
  | 'CRL_SIGNATURE'
  | 'CRL_ALGORITHM'
  | 'CRL_AUTHORITY'
  | 'CRL_NOT_CURRENT'
  | 'CRL_OLDER'
  | 'CRL_MISSING'

/** Evidence or an endorsement that cannot be verified. */
export class EvidenceError extends CodedError<EvidenceErrorCode> {}
