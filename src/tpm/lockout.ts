import { Reader } from '../core/reader.ts'
import type { TpmConnection } from './commands.ts'

/**
 * Where a TPM stands with dictionary attacks (TPM 2.0 Part 1, "Dictionary Attack Protection"): failed authorisations of
 * objects without noDA count, and at the limit the TPM refuses all use of such objects.
 */
export interface LockoutState {
  readonly isLocked: boolean
  readonly failures: number
  readonly maxFailures: number
  /** After each such time one failure is forgotten; 0: never. */
  readonly forgiveAfterS: number
  /** How long after a wrong lockout authorisation that one is refused; 0: until the next reset. */
  readonly lockoutAuthAfterS: number
}

const TPM_CAP_TPM_PROPERTIES = 6
/** TPM_PT_PERMANENT and its bit inLockout; TPM_PT_LOCKOUT_COUNTER and the three behind it (TPM 2.0 Part 2, 6.13). */
const TPM_PT_PERMANENT = 0x200
const IN_LOCKOUT = 1 << 9
const TPM_PT_LOCKOUT_COUNTER = 0x20e

/** Reads it. Needs no authorisation, also while the TPM is locked. */
export function readLockout(connection: TpmConnection): LockoutState {
  const [permanent = 0] = readProperties(connection, TPM_PT_PERMANENT, 1)
  const [failures = 0, maxFailures = 0, forgiveAfterS = 0, lockoutAuthAfterS = 0] = readProperties(
    connection,
    TPM_PT_LOCKOUT_COUNTER,
    4,
  )
  return { isLocked: (permanent & IN_LOCKOUT) !== 0, failures, maxFailures, forgiveAfterS, lockoutAuthAfterS }
}

/** The same in words, for people. */
export function lockoutInWords(state: LockoutState): string {
  const { isLocked, failures, maxFailures, forgiveAfterS } = state
  const count = `${failures} of at most ${maxFailures} failed authorisations`
  const forgiven = forgiveAfterS === 0 ? 'none is ever forgotten' : `one is forgotten every ${duration(forgiveAfterS)}`
  if (!isLocked) return `not locked out: ${count}, ${forgiven}`
  const wait = forgiveAfterS === 0 ? '' : `wait ${duration(forgiveAfterS)}, or `
  return `locked out: ${count}, ${forgiven}; ${wait}clear it with the lockout authorisation (tpm2_dictionarylockout -c)`
}

function readProperties({ commands }: TpmConnection, first: number, count: number): readonly number[] {
  const [, data] = commands.GetCapability([], TPM_CAP_TPM_PROPERTIES, first, count)
  const reader = new Reader(data)
  reader.u32()
  const found = Math.min(reader.u32(), count)
  const values = Array.from({ length: found }, () => [reader.u32(), reader.u32()] as const)
  reader.end('TPML_TAGGED_TPM_PROPERTY')
  return Array.from({ length: count }, (_, i) => values.find(([property]) => property === first + i)?.[1] ?? 0)
}

function duration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} h`
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}
