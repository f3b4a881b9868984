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

/** The names of the `BatchMode` numbers, in order. */
export const BATCH_MODES = ['Records', 'Anchored'] as const
export type BatchMode = (typeof BATCH_MODES)[number]

/** The time that never comes: what `validUntil`, `notAfter` and deadlines say where there is no end. */
export const NO_END = 2n ** 64n - 1n

/** A host; status None where there is none. */
export interface Host {
  readonly status: HostStatus
  readonly assurance: Assurance
  /** The block of the last change of status. */
  readonly since: bigint
  readonly ledgerAddress: Hex
  /** SHA-256 part of the AK's qualified name. */
  readonly akQualifiedName: Hex
  /** The address before the last rotation, zero for none. */
  readonly previousAddress: Hex
  /** The last block in which the previous address may still submit. */
  readonly previousUntil: bigint
}

/** A VMM; status None where there is none. */
export interface Vmm {
  readonly status: VmmStatus
  /** Whether a host's quote showed it, in this epoch; false for a prediction. */
  readonly isProven: boolean
  readonly epoch: number
  /** The block of the last change of status. */
  readonly since: bigint
  /** Seconds since the epoch, inclusive; `NO_END` for none, 0 before it is authorised. */
  readonly validUntil: bigint
  readonly manifestHash: Hex
}

/** Who decides by k-of-n. */
export interface Approvers {
  /** Counts the sets of approvers from 1. */
  readonly term: number
  readonly approvers: readonly Hex[]
  readonly threshold: number
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
