import type { Hex } from '../core/bytes.ts'
import type { BatchHeader } from '../record/batch.ts'
import type { OperationRequest } from '../record/request.ts'

/** What a journal belongs to. */
export interface JournalIdentity {
  readonly hostId: Hex
  readonly chainId: bigint
  readonly auditLog: Hex
}

/** A request that was checked: all that its record needs but the outcome. */
export interface Intent {
  readonly requestHash: Hex
  readonly request: OperationRequest
  readonly signature: Hex
  readonly requester: Hex
  readonly vmmHash: Hex
  readonly policyBlock: bigint
  /** Seconds since the epoch. */
  readonly timestamp: bigint
}

/** How an operation ended. */
export interface Outcome {
  /** 0 for done, else a code of `REASONS`. */
  readonly status: number
  /** Zero where there is no result. */
  readonly resultHash: Hex
  /** Seconds since the epoch. */
  readonly timestamp: bigint
}

/**
 * - `signed`: its bytes are on disk; whether anybody has them is not known
 * - `sent`: a node has them
 * - `confirmed`: it is on the ledger
 * - `dropped`: it can never get there: its nonce was used by another
 */
export type BatchState = 'signed' | 'sent' | 'confirmed' | 'dropped'

/** A transaction that commits records. */
export interface Batch {
  readonly hash: Hex
  /** The signed bytes: always these same ones are sent. */
  readonly raw: Hex
  readonly nonce: bigint
  readonly header: BatchHeader
  readonly state: BatchState
  readonly blockNumber?: bigint
}

/** What the journal knows of the TPM's NV counter. */
export interface CounterMark {
  readonly value: bigint
  /** An increment beyond `value` was begun; whether the TPM carried it out is not known. */
  readonly pending: boolean
}
