/** What became of one thing that was looked at. `not-covered`: nothing was given to hold it against. */
export type ClaimStatus = 'pass' | 'fail' | 'not-covered'

/**
 * Why a claim did not pass.
 *
 * - `NOT_IN_POLICY`: the policy says nothing of it. A result may have it and be good, see `isAcceptable`
 * - `VMM_NOT_AUTHORISED`: the measurement is not one of those that may be
 * - `SELECTION_DIFFERS`: other banks or PCRs are quoted than must be
 * - `PCR_VALUE_MISSING`: no value of a quoted PCR was given, or none that could be computed
 * - `PCR_DIGEST_DIFFERS`: the values are not those that the TPM quoted
 * - `PCR_DIFFERS`: a PCR has another value than it must have
 * - `PCR_UNEXPLAINED`: neither a log nor a reference value says why a quoted PCR is what it is
 * - `PCR_ZERO`: a firmware PCR was never extended, so nothing measured after it counts
 * - `LOG_MISSING`, `LOG_INVALID`, `LOG_DIFFERS`: a log that is needed is not there, cannot be read, or does not lead to the PCR
 * - `EVENT_DIFFERS`, `EVENT_MISSING`, `EVENT_UNEXPECTED`: an event is another than allowed, not there, or one too many
 * - `COMMAND_LINE_DIFFERS`: the kernel was started with another command line
 * - `SECURE_BOOT_DIFFERS`: Secure Boot is on where it must be off, off where it must be on, or nothing that is covered says which
 * - `IMA_FILE_UNLISTED`, `IMA_FILE_DIFFERS`: a file was used that is not listed, or has another content
 * - `IMA_VIOLATION`: a file was written while it was open, so what was used is not known
 * - `IMA_AGGREGATE_DIFFERS`: the log is not of this boot
 * - `IMA_ENTRY_INVALID`: an entry's template is not known, so that nobody can say which file it is of
 * - `COMPONENT_UNLISTED`, `COMPONENT_DIFFERS`, `COMPONENT_MISSING`, `COMPONENT_CHANGED`: what is wrong with a component of the VMM
 * - `MANIFEST_DIFFERS`: the log is not the one that was proposed
 * - `NONCE_DIFFERS`: the quote was made for somebody else, or for an earlier question
 * - `NONCE_MISSING`: nobody said which nonce the quote must carry, so it may be any old quote
 * - `CLOCK_UNSAFE`, `CLOCK_NOT_FORWARD`: the TPM's clock may have gone back, or did
 * - `KEY_UNKNOWN`: the attestation key is not one that was enrolled
 * - `EK_DIFFERS`: the EK is not the one with which the attestation key was enrolled
 * - `CLOCK_OBFUSCATED`: a key in this place of its TPM is told no true resets, restarts and firmware version
 * - `SIGNER_UNPLACED`: where in its TPM the key stands cannot be told from what was given
 * - `ENDORSEMENT_MISSING`, `ENDORSEMENT_INVALID`: no EK certificate, or one that no trusted root vouches for
 * - `ASSURANCE_LOW`, `MANUFACTURER_DIFFERS`, `FIRMWARE_OLD`, `TPM_WEAK`: a TPM that the policy does not take
 */
export type ClaimCode =
  | 'NOT_IN_POLICY'
  | 'VMM_NOT_AUTHORISED'
  | 'SELECTION_DIFFERS'
  | 'PCR_VALUE_MISSING'
  | 'PCR_DIGEST_DIFFERS'
  | 'PCR_DIFFERS'
  | 'PCR_UNEXPLAINED'
  | 'PCR_ZERO'
  | 'LOG_MISSING'
  | 'LOG_INVALID'
  | 'LOG_DIFFERS'
  | 'EVENT_DIFFERS'
  | 'EVENT_MISSING'
  | 'EVENT_UNEXPECTED'
  | 'COMMAND_LINE_DIFFERS'
  | 'SECURE_BOOT_DIFFERS'
  | 'IMA_FILE_UNLISTED'
  | 'IMA_FILE_DIFFERS'
  | 'IMA_VIOLATION'
  | 'IMA_AGGREGATE_DIFFERS'
  | 'IMA_ENTRY_INVALID'
  | 'COMPONENT_UNLISTED'
  | 'COMPONENT_DIFFERS'
  | 'COMPONENT_MISSING'
  | 'COMPONENT_CHANGED'
  | 'MANIFEST_DIFFERS'
  | 'NONCE_DIFFERS'
  | 'NONCE_MISSING'
  | 'CLOCK_UNSAFE'
  | 'CLOCK_NOT_FORWARD'
  | 'CLOCK_OBFUSCATED'
  | 'KEY_UNKNOWN'
  | 'EK_DIFFERS'
  | 'SIGNER_UNPLACED'
  | 'ENDORSEMENT_MISSING'
  | 'ENDORSEMENT_INVALID'
  | 'ASSURANCE_LOW'
  | 'MANUFACTURER_DIFFERS'
  | 'FIRMWARE_OLD'
  | 'TPM_WEAK'

/** One thing that was looked at, what it was held against, and what came of it. */
export interface Claim {
  readonly name: string
  readonly status: ClaimStatus
  /** In words or as a value. */
  readonly expected: string
  readonly found: string
  /** Null where it passed. */
  readonly code: ClaimCode | null
}

/** What appraisal says (RFC 9334, "attestation result"). */
export interface AttestationResult {
  /** At least one claim passed, and all are acceptable. */
  readonly ok: boolean
  readonly claims: readonly Claim[]
}

/** A claim that passes or, with this code, fails. */
export function claim(name: string, expected: string, found: string, passed: boolean, code: ClaimCode): Claim {
  return { name, status: passed ? 'pass' : 'fail', expected, found, code: passed ? null : code }
}

/** A claim for which nothing was given to hold it against. */
export function notCovered(name: string, expected: string, found: string, code: ClaimCode): Claim {
  return { name, status: 'not-covered', expected, found, code }
}

/** What some claims come to. No claim at all is no good result. */
export function resultOf(claims: readonly Claim[]): AttestationResult {
  const passed = claims.some(({ status }) => status === 'pass')
  return { ok: passed && claims.every(isAcceptable), claims }
}

/**
 * Whether a result may have this claim and be good: it passed, or is not covered because the policy says nothing of it or because
 * nobody can tell where in its TPM a key stands, which matters only before it is enrolled.
 */
export function isAcceptable({ status, code }: Pick<Claim, 'status' | 'code'>): boolean {
  if (status === 'pass') return true
  return status === 'not-covered' && (code === 'NOT_IN_POLICY' || code === 'SIGNER_UNPLACED')
}
