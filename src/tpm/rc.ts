/** Return codes that Attestry tells apart (TPM 2.0 Part 2, 6.6.3; tss2_common.h). */
export const RC = {
  /** The TPM is in failure mode, or says so. */
  FAILURE: 0x101,
  /** Format 1: the handle names nothing that is there. */
  HANDLE: 0x08b,
  /** Format 1: authorisation failed, and counts towards lockout. */
  AUTH_FAIL: 0x08e,
  /** Format 1: authorisation failed, without counting. */
  BAD_AUTH: 0x0a2,
  /** Format 1: a signature that the key has not made. */
  SIGNATURE: 0x09b,
  /** Format 1: an object that this TPM has not made for this parent, or that was changed. */
  INTEGRITY: 0x09f,
  /** Format 1: a value that is not what it must be: PCRs other than those of a policy. */
  VALUE: 0x084,
  /** Format 1: a policy session that does not satisfy the object's policy. */
  POLICY_FAIL: 0x09d,
  /** PCRs moved since the policy was checked. */
  PCR_CHANGED: 0x128,
  /** Dictionary-attack lockout. */
  LOCKOUT: 0x921,
  /** A counter that has not been incremented. */
  NV_UNINITIALIZED: 0x14a,
} as const

const LAYER_TPM = 0
const LAYER_TCTI = 10
const FORMAT_1 = 0x80
const FORMAT_1_PARAMETER = 0xc0
/** Of a format 1 code, the bits that say which error it was, without where: handle, session or parameter. */
const FORMAT_1_ERROR = 0xbf

/**
 * Whether an error came with a return code of the TPM: format 1 codes are compared without the place that they name.
 */
export function hasRc(error: unknown, code: number): boolean {
  const rc = rcOf(error)
  if (rc === undefined || layerOf(rc) !== LAYER_TPM) return false
  return (rc & FORMAT_1 ? rc & FORMAT_1_ERROR : rc) === code
}

/** Whether the TPM refused a command for what a parameter held. */
export function isParameterRefused(error: unknown): boolean {
  const rc = rcOf(error)
  return rc !== undefined && layerOf(rc) === LAYER_TPM && (rc & FORMAT_1_PARAMETER) === FORMAT_1_PARAMETER
}

/** Whether an error came from the connection to the TPM. */
export function isConnectionError(error: unknown): boolean {
  const rc = rcOf(error)
  return rc !== undefined && layerOf(rc) === LAYER_TCTI
}

/** The return code that an error carries in its `rc`. */
export function rcOf(error: unknown): number | undefined {
  const rc = (error as { rc?: unknown } | null | undefined)?.rc
  return typeof rc === 'number' ? rc : undefined
}

function layerOf(rc: number): number {
  return (rc >>> 16) & 0xff
}
