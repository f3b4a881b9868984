import type { Hex } from '../core/bytes.ts'
import type { Grant } from '../record/grant.ts'
import type { ContractName } from './deployment.ts'

// The contracts' events (contracts/src/interfaces). Byte strings are lower-case hexadecimal; enums are their numbers.

interface Event<Name extends string, Args> {
  readonly name: Name
  readonly args: Readonly<Args>
  readonly contract: ContractName
  readonly blockNumber: bigint
  readonly transactionHash: Hex
  /** Counts within the block, so order is by block, then by this. */
  readonly logIndex: number
}

/** A quote as it stands on the ledger; untrusted until verified. */
export interface QuoteOnLedger {
  readonly attest: Hex
  readonly r: Hex
  readonly s: Hex
}

export type HostRegistered = Event<
  'HostRegistered',
  {
    hostId: Hex
    ledgerAddress: Hex
    assurance: number
    registrar: Hex
    anchorBlock: bigint
    ekPublic: Hex
    akPublic: Hex
    ekCertificate: Hex
    quote: QuoteOnLedger
  }
>

export type HostStatusChanged = Event<'HostStatusChanged', { hostId: Hex; status: number; by: Hex }>

export type VmmProposed = Event<
  'VmmProposed',
  { vmmHash: Hex; hostId: Hex; epoch: number; manifestHash: Hex; attested: Hex }
>

export type VmmApproved = Event<
  'VmmApproved',
  { vmmHash: Hex; approver: Hex; epoch: number; approvals: number; status: number }
>

export type VmmRevoked = Event<'VmmRevoked', { vmmHash: Hex; approver: Hex; epoch: number }>

export type DataRegistered = Event<'DataRegistered', { dataId: Hex; owner: Hex }>

export type Granted = Event<'Granted', { grantId: Hex; dataId: Hex; grantor: Hex; grant: Grant }>

export type GrantRevoked = Event<'GrantRevoked', { grantId: Hex; by: Hex }>

export type GrantUsed = Event<'GrantUsed', { grantId: Hex; uses: bigint }>

export type BatchCommitted = Event<
  'BatchCommitted',
  {
    hostId: Hex
    firstSeq: bigint
    count: number
    root: Hex
    head: Hex
    vmmHash: Hex
    nvCounter: bigint
    /** One byte a record (docs/formats.md, "Verdict bits"). */
    verdicts: Hex
  }
>

export type LedgerEvent =
  | HostRegistered
  | HostStatusChanged
  | VmmProposed
  | VmmApproved
  | VmmRevoked
  | DataRegistered
  | Granted
  | GrantRevoked
  | GrantUsed
  | BatchCommitted
