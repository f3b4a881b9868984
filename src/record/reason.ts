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

/** Each reason in words for the person who is refused; without identifiers. */
export const REASON_WORDS: Readonly<Record<Reason, string>> = {
  DONE: 'it was done',
  HOST_UNKNOWN: 'this host is not in the registry',
  HOST_NOT_ACTIVE: 'this host is suspended or retired',
  VMM_NOT_AUTHORISED: 'the measurement of this host is not one that the approvers authorised',
  DATA_UNKNOWN: 'no such data is registered',
  GRANT_MISSING: 'the requester does not own the data and named no grant',
  GRANT_UNKNOWN: 'the grant is not on the ledger',
  GRANT_OTHER_DATA: 'the grant is for other data',
  GRANT_OTHER_GRANTEE: 'the grant is somebody else’s',
  GRANT_REVOKED: 'the grant, or one that it was delegated from, was revoked',
  GRANT_NOT_YET_VALID: 'the grant is not valid yet',
  GRANT_EXPIRED: 'the grant has expired',
  GRANT_EXHAUSTED: 'the grant has no use left',
  GRANT_OTHER_OPERATION: 'the grant is for another operation',
  GRANT_OTHER_HOST: 'the grant is for another host',
  GRANT_OTHER_VMM: 'the grant is for another VMM',
  GRANT_ASSURANCE: 'the grant asks for a higher assurance than this host has',
  VMM_CHANGED: 'the VMM changed during the operation; the result was withheld',
  OPERATION_FAILED: 'the operation refused its input, for example a ciphertext that is not authentic for this data',
  DEVICE_FAILED: 'the HSM or the TPM failed; nothing was released',
  INTERRUPTED: 'the agent was interrupted; nothing was released',
}
