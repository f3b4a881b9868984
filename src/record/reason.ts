/**
 * Why an operation was refused or failed: one closed list for contracts, agent and auditor (docs/formats.md, "Reason codes").
 * The number stands in a record's `status`.
 */
export const REASONS = {
  DONE: 0,
  HOST_UNKNOWN: 1,
  HOST_NOT_ACTIVE: 2,
  VMM_NOT_AUTHORISED: 3,
  DATA_UNKNOWN: 4,
  GRANT_MISSING: 5,
  GRANT_UNKNOWN: 6,
  GRANT_OTHER_DATA: 7,
  GRANT_OTHER_GRANTEE: 8,
  GRANT_REVOKED: 9,
  GRANT_NOT_YET_VALID: 10,
  GRANT_EXPIRED: 11,
  GRANT_EXHAUSTED: 12,
  GRANT_OTHER_OPERATION: 13,
  GRANT_OTHER_HOST: 14,
  GRANT_OTHER_VMM: 15,
  GRANT_ASSURANCE: 16,
  VMM_CHANGED: 32,
  OPERATION_FAILED: 33,
  DEVICE_FAILED: 34,
  INTERRUPTED: 35,
} as const

export type Reason = keyof typeof REASONS

const names = new Map<number, Reason>(Object.entries(REASONS).map(([name, code]) => [code, name as Reason]))

/** The name of a status, or undefined for a number that is not in the list. */
export function reasonOf(status: number): Reason | undefined {
  return names.get(status)
}
