import { CodedError } from '../core/error.ts'

/**
 * - `AK_UNSUITABLE`: the TPM's attestation key is not restricted to quotes, or can leave the TPM
 * - `CREDENTIAL_WRONG`: the TPM could not show that it holds both EK and AK
 * - `HOST_EXISTS`: the ledger knows this TPM with another attestation key or another ledger address
 * - `HOST_NOT_ACTIVE`: the ledger does not know this host as an active one
 * - `ADDRESS_TAKEN`: the HSM's ledger address speaks for another host
 * - `PCR_MOVED`: the PCRs kept changing while they were quoted
 */
export type EnrolErrorCode =
  'AK_UNSUITABLE' | 'CREDENTIAL_WRONG' | 'HOST_EXISTS' | 'HOST_NOT_ACTIVE' | 'ADDRESS_TAKEN' | 'PCR_MOVED'

/** Why a host was not enrolled, or its VMM not proposed. Nothing was written to the ledger. */
export class EnrolError extends CodedError<EnrolErrorCode> {}
