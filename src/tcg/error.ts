import { CodedError } from '../core/error.ts'

/**
 * Why a TCG structure was refused.
 *
 * - `LENGTH`: an attestation that has not the length of a quote of one or two selections
 * - `MALFORMED`: truncated, trailing bytes, a length or a field out of its bounds
 * - `MAGIC`, `TYPE`: an attestation that no TPM made, or that is no quote
 * - `SELECTION_BANK`, `SELECTION_REPEATED`, `SELECTION_INVALID`: what is wrong with a PCR selection
 * - `SELECTION_EMPTY`, `SELECTION_RESETTABLE`: a selection that proves nothing
 * - `DIGEST_LENGTH`: a digest whose length is not that of its algorithm
 * - `KEY_UNSUPPORTED`: a public area whose kind of key is not in the list
 * - `NAME_ALGORITHM`: a name that is not made with SHA-256
 * - `AK_TYPE`, `AK_SCHEME`, `AK_VALUE`, `AK_ATTRIBUTES`: a key that must not be believed as an attestation key
 * - `EK_TEMPLATE`: a key that is no EK of the TCG's profile
 * - `EVENT_KIND`, `EVENT_DIGEST`, `EVENT_ORDER`, `EVENT_INVALID`: what is wrong with an event of a canonical event log
 * - `SIGNATURE_UNSUPPORTED`, `SIGNATURE_VALUE`: a signature by a scheme that is not in the list, or of no possible value
 * - `LOG_TOO_LARGE`: an event log beyond its bounds
 */
export type TcgErrorCode =
  | 'LENGTH'
  | 'MALFORMED'
  | 'MAGIC'
  | 'TYPE'
  | 'SELECTION_BANK'
  | 'SELECTION_REPEATED'
  | 'SELECTION_EMPTY'
  | 'SELECTION_RESETTABLE'
  | 'SELECTION_INVALID'
  | 'DIGEST_LENGTH'
  | 'KEY_UNSUPPORTED'
  | 'NAME_ALGORITHM'
  | 'AK_TYPE'
  | 'AK_SCHEME'
  | 'AK_VALUE'
  | 'AK_ATTRIBUTES'
  | 'EK_TEMPLATE'
  | 'EVENT_KIND'
  | 'EVENT_DIGEST'
  | 'EVENT_ORDER'
  | 'EVENT_INVALID'
  | 'SIGNATURE_UNSUPPORTED'
  | 'SIGNATURE_VALUE'
  | 'LOG_TOO_LARGE'

/** A TCG structure that is not what it should be. */
export class TcgError extends CodedError<TcgErrorCode> {}
