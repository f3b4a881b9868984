import { CodedError, messageOf } from '../core/error.ts'
import { ReadError } from '../core/reader.ts'
import { TcgError } from '../tcg/error.ts'
import { hasRc, isConnectionError, RC, rcOf } from './rc.ts'

/**
 * Why the TPM did not do what was asked.
 *
 * - `TCTI_INVALID`: the TCTI configuration is not one, or its module is not installed
 * - `TCTI_UNREACHABLE`: nothing answers there, or it stopped answering; the next call connects anew
 * - `TPM_RC`: the TPM or its software stack refused; `rc` says why
 * - `AUTHORIZATION_REFUSED`: a hierarchy's or an object's authorisation value is not the empty one
 * - `LOCKED_OUT`: too many failed authorisations; the message has the TPM's counter and its limits
 * - `EK_MISMATCH`: the EK is not the one of its certificate, or not the one that was expected
 * - `AK_UNSUITABLE`: at the AK's handle lies something that must not be used as one
 * - `CREDENTIAL_REFUSED`: a credential that was not made for this EK and this AK, or was changed
 * - `EK_CERTIFICATE_MISSING`, `EK_CERTIFICATE_MALFORMED`: of the EK certificate in the TPM
 * - `EK_TEMPLATE`: the TPM's own EK template is none of the TCG's
 * - `NV_UNSUITABLE`: at the counter's index lies something other than the counter
 * - `PCR_NOT_ALLOCATED`: the bank or PCR is not there
 * - `PCRS_MOVING`: the PCRs changed during each attempt to read them
 * - `RESPONSE_UNEXPECTED`: the TPM answered what it must not
 * - `LIBRARY_MISSING`, `LIBRARY_VERSION`: tpm2-tss is not installed, or too old
 */
export type TpmErrorCode = (typeof CODES)[number]

const CODES = [
  'TCTI_INVALID',
  'TCTI_UNREACHABLE',
  'TPM_RC',
  'AUTHORIZATION_REFUSED',
  'LOCKED_OUT',
  'EK_MISMATCH',
  'AK_UNSUITABLE',
  'CREDENTIAL_REFUSED',
  'EK_CERTIFICATE_MISSING',
  'EK_CERTIFICATE_MALFORMED',
  'EK_TEMPLATE',
  'NV_UNSUITABLE',
  'PCR_NOT_ALLOCATED',
  'PCRS_MOVING',
  'RESPONSE_UNEXPECTED',
  'LIBRARY_MISSING',
  'LIBRARY_VERSION',
] as const

/** Where a TPM error arose. */
export interface TpmErrorDetail {
  /** The TSS2_RC, with its layer in bits 16 to 23. */
  readonly rc?: number | undefined
  /** The command, `Quote` for example. */
  readonly command?: string | undefined
}

/** The TPM, the way to it, or its software stack failed or refused. */
export class TpmError extends CodedError<TpmErrorCode> {
  /** Travels with the error from the device process. */
  readonly detail: TpmErrorDetail

  constructor(code: TpmErrorCode, message: string, detail: TpmErrorDetail = {}, options?: ErrorOptions) {
    super(code, message, options)
    this.detail = detail
  }

  get rc(): number | undefined {
    return this.detail.rc
  }

  get command(): string | undefined {
    return this.detail.command
  }
}

/** Makes a TpmError of what came from the device process; another error where it was none. */
export function reviveTpmError(code: string, message: string, detail: unknown): Error {
  const known = CODES.find((one) => one === code)
  if (known === undefined) return new Error(`tpm: ${message}`)
  return new TpmError(known, message, detail ?? {})
}

/**
 * Makes a TpmError of an error of the TPM software stack, by its code and return code, and of an answer that could not
 * be decoded; leaves all others as they are.
 */
export function asTpmError(thrown: unknown): unknown {
  if (thrown instanceof TpmError) return thrown
  if (thrown instanceof ReadError || thrown instanceof TcgError) {
    return new TpmError('RESPONSE_UNEXPECTED', `the TPM's answer: ${thrown.message}`, {}, { cause: thrown })
  }
  const rc = rcOf(thrown)
  if (rc === undefined) return thrown
  const { code, command } = thrown as { code?: unknown; command?: string }
  const detail = { rc, command }
  return new TpmError(codeOf(code, detail, thrown), messageOf(thrown), detail, { cause: thrown })
}

const TCTI_BAD_VALUE = 0x000a000b
const TCTI_NOT_SUPPORTED = 0x000a0015

function codeOf(code: unknown, { rc, command }: TpmErrorDetail, thrown: unknown): TpmErrorCode {
  if (code === 'LIBRARY_MISSING' || code === 'LIBRARY_VERSION') return code
  if (command === 'TctiLdr_Initialize' && (rc === TCTI_BAD_VALUE || rc === TCTI_NOT_SUPPORTED)) return 'TCTI_INVALID'
  if (isConnectionError(thrown)) return 'TCTI_UNREACHABLE'
  if (hasRc(thrown, RC.LOCKOUT)) return 'LOCKED_OUT'
  if (hasRc(thrown, RC.AUTH_FAIL) || hasRc(thrown, RC.BAD_AUTH)) return 'AUTHORIZATION_REFUSED'
  return 'TPM_RC'
}
