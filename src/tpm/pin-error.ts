import { CodedError } from '../core/error.ts'

/**
 * Why a sealed PIN, or an approval of its opening, is of no use. No message has the PIN, or anything of it.
 *
 * - `APPROVER_KEY_INVALID`: the security team's key is not a P-256 or RSA-2048 key in PEM, or private where a public one belongs
 * - `PCRS_INVALID`: what is to be approved names no PCR values, or such as prove nothing
 * - `SEALED_PIN_INVALID`: the file is no sealed PIN, or was changed so that it could not have been sealed
 * - `PIN_UNSUITABLE`: a PIN that cannot be sealed
 * - `APPROVAL_INVALID`: the file is no approval
 * - `APPROVAL_PURPOSE`: it approves something else than the opening of the PIN
 * - `APPROVAL_SELECTION`: it is about other PCRs than those that the host is measured by
 * - `APPROVAL_SIGNATURE`: the key under which the PIN was sealed has not signed it
 * - `PIN_NOT_APPROVED`: there is no approval for what the PCRs are now
 * - `PIN_OTHER_TPM`: it was sealed by another TPM
 * - `PIN_DAMAGED`: the TPM cannot load the object: it was changed, or the TPM was cleared since
 */
export type PinErrorCode = (typeof CODES)[number]

const CODES = [
  'APPROVER_KEY_INVALID',
  'PCRS_INVALID',
  'SEALED_PIN_INVALID',
  'PIN_UNSUITABLE',
  'APPROVAL_INVALID',
  'APPROVAL_PURPOSE',
  'APPROVAL_SELECTION',
  'APPROVAL_SIGNATURE',
  'PIN_NOT_APPROVED',
  'PIN_OTHER_TPM',
  'PIN_DAMAGED',
] as const

/** A PIN that is not sealed, not approved, or does not open. */
export class PinError extends CodedError<PinErrorCode> {}

/** Makes a PinError of what came from the device process; undefined where it was none. */
export function revivePinError(code: string, message: string): PinError | undefined {
  const known = CODES.find((one) => one === code)
  return known === undefined ? undefined : new PinError(known, message)
}
