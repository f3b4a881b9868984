import type { Hex } from '../core/bytes.ts'
import type { Grant } from '../record/grant.ts'

// What the contracts' views answer (contracts/src/interfaces/Types.sol).

/** The names of the `HostStatus` numbers, in order. */
export const HOST_STATUSES = ['None', 'Active', 'Suspended', 'Retired'] as const
export type HostStatus = (typeof HOST_STATUSES)[number]

/** The names of the `Assurance` numbers, in order. */
export const ASSURANCES = ['None', 'Software', 'Hardware'] as const
export type Assurance = (typeof ASSURANCES)[number]

/** The names of the `VmmStatus` numbers, in order. */
export const VMM_STATUSES = ['None', 'Proposed', 'Authorised', 'Revoked'] as const
export type VmmStatus = (typeof VMM_STATUSES)[number]

/** A host; status None where there is none. */
export interface Host {
  readonly status: HostStatus
  readonly assurance: Assurance
  /** The block of the last change of status. */
  readonly since: bigint
  readonly ledgerAddress: Hex
  readonly akX: Hex
  readonly akY: Hex
  /** SHA-256 part of the AK's qualified name. */
  readonly akQualifiedName: Hex
}

/** A VMM; status None where there is none. */
export interface Vmm {
  readonly status: VmmStatus
  readonly epoch: number
  readonly approvals: number
  readonly authorisedAt: bigint
  readonly revokedAt: bigint
  readonly manifestHash: Hex
}

/** A grant as it was entered, and what became of it; `grantedAt` 0 where there is none. */
export interface GrantState {
  readonly grant: Grant
  readonly grantor: Hex
  readonly grantedAt: bigint
  /** The block of its own revocation, 0 for none. */
  readonly revokedAt: bigint
  readonly uses: bigint
}

/** The TPM's state in a host's last batch. */
export interface HostClock {
  readonly nvCounter: bigint
  readonly resetCount: number
  readonly restartCount: number
  /** Milliseconds. */
  readonly clockMs: bigint
}

/** What `checkAccess` is asked. */
export interface AccessRequest {
  readonly dataId: Hex
  /** Zero where the requester acts as the data's owner. */
  readonly grantId: Hex
  readonly requester: Hex
  readonly operationId: Hex
  readonly hostId: Hex
  readonly vmmHash: Hex
  /** Seconds since the epoch at which the access takes place. */
  readonly timestamp: bigint
  /** The block whose state decides. */
  readonly asOf: bigint
}
