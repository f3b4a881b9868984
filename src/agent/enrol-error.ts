import { CodedError } from '../core/error.ts'

/**
 * - `ENROL_FILE_MALFORMED`: not such a file, or not byte for byte as it is written
 * - `ENROL_FILE_KIND`: another of the files than the step needs
 * - `ENROL_REQUEST_ALTERED`: the ledger key named in the request did not sign it
 * - `ENROL_REQUEST_EXPIRED`, `ENROL_REQUEST_REPLAYED`: too old; this registrar has answered it already
 * - `ENROL_REQUEST_LIFE`, `CHALLENGE_LIFE`, `REGISTRATION_LIFE`: it would count for longer than such a file may
 * - `ENROL_REQUEST_OTHER_LEDGER`: made for another chain, or another HostRegistry
 * - `CHALLENGE_ALTERED`: its seal is not by the secret in it
 * - `CHALLENGE_EXPIRED`, `CHALLENGE_OTHER_HOST`, `CHALLENGE_OTHER_LEDGER`: too old, another's, elsewhere
 * - `CHALLENGE_UNKNOWN`, `CHALLENGE_USED`: an answer to a challenge that this registrar did not make; to one answered before
 * - `ANSWER_UNPROVEN`: the answer is not sealed by the challenge's secret: the TPM did not open it, or the answer was altered
 * - `ANSWER_EXPIRED`: its quote is anchored to a block that is more than 256 blocks old
 * - `CONSENT_WRONG`: the ledger key named in the request did not consent
 * - `REGISTRATION_ALTERED`: the named checker did not sign it
 * - `REGISTRATION_EXPIRED`, `REGISTRATION_OTHER_LEDGER`: too old, elsewhere
 * - `AK_UNSUITABLE`: the TPM's attestation key is not restricted to quotes, or can leave the TPM
 * - `HOST_EXISTS`: the ledger knows this TPM with another attestation key or another ledger address
 * - `HOST_NOT_ACTIVE`: the ledger does not know this host as an active one
 * - `ADDRESS_TAKEN`: the HSM's ledger address speaks for another host
 * - `PCR_MOVED`: the PCRs kept changing while they were quoted
 */
export type EnrolErrorCode =
  | 'ENROL_FILE_MALFORMED'
  | 'ENROL_FILE_KIND'
  | 'ENROL_REQUEST_ALTERED'
  | 'ENROL_REQUEST_EXPIRED'
  | 'ENROL_REQUEST_REPLAYED'
  | 'ENROL_REQUEST_LIFE'
  | 'ENROL_REQUEST_OTHER_LEDGER'
  | 'CHALLENGE_ALTERED'
  | 'CHALLENGE_EXPIRED'
  | 'CHALLENGE_LIFE'
  | 'CHALLENGE_OTHER_HOST'
  | 'CHALLENGE_OTHER_LEDGER'
  | 'CHALLENGE_UNKNOWN'
  | 'CHALLENGE_USED'
  | 'ANSWER_UNPROVEN'
  | 'ANSWER_EXPIRED'
  | 'CONSENT_WRONG'
  | 'REGISTRATION_ALTERED'
  | 'REGISTRATION_EXPIRED'
  | 'REGISTRATION_LIFE'
  | 'REGISTRATION_OTHER_LEDGER'
  | 'AK_UNSUITABLE'
  | 'HOST_EXISTS'
  | 'HOST_NOT_ACTIVE'
  | 'ADDRESS_TAKEN'
  | 'PCR_MOVED'

/** Why a host was not enrolled, or its VMM not proposed. Nothing was written to the ledger. */
export class EnrolError extends CodedError<EnrolErrorCode> {}
