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
  /** The AK's TPMT_PUBLIC. */
  readonly akPublic: Hex
  readonly attest: Hex
  /** ECDSA: r ‖ s, s at most half the group order. RSASSA: 256 bytes. */
  readonly signature: Hex
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
    ekCertificate: Hex
    quote: QuoteOnLedger
  }
>

export type HostStatusChanged = Event<'HostStatusChanged', { hostId: Hex; status: number; by: Hex }>

export type LedgerAddressRotated = Event<
  'LedgerAddressRotated',
  { hostId: Hex; from: Hex; to: Hex; overlapUntil: bigint; anchorBlock: bigint; quote: QuoteOnLedger }
>

export type LedgerAddressReplaced = Event<
  'LedgerAddressReplaced',
  { hostId: Hex; from: Hex; to: Hex; registrar: Hex; anchorBlock: bigint; quote: QuoteOnLedger }
>

export type AttestationKeyReplaced = Event<
  'AttestationKeyReplaced',
  { hostId: Hex; akQualifiedName: Hex; registrar: Hex; anchorBlock: bigint; quote: QuoteOnLedger }
>

export type RegistrarChanged = Event<'RegistrarChanged', { registrar: Hex; isRegistrar: boolean; nonce: bigint }>

/** By both registries: one approval of a decision (docs/formats.md, "Decisions"). */
export type DecisionApproved = Event<
  'DecisionApproved',
  { decision: Hex; approver: Hex; term: number; approvals: number }
>

export type VmmProposed = Event<
  'VmmProposed',
  { vmmHash: Hex; hostId: Hex; epoch: number; manifestHash: Hex; attested: Hex }
>

export type VmmProven = Event<'VmmProven', { vmmHash: Hex; hostId: Hex; epoch: number }>

export type VmmAuthorised = Event<'VmmAuthorised', { vmmHash: Hex; epoch: number; validUntil: bigint }>

export type VmmRevoked = Event<'VmmRevoked', { vmmHash: Hex; approver: Hex; epoch: number }>

export type ApproversChanged = Event<'ApproversChanged', { term: number; approvers: readonly Hex[]; threshold: number }>

export type DataRegistered = Event<'DataRegistered', { dataId: Hex; owner: Hex }>

export type OwnershipOffered = Event<'OwnershipOffered', { dataId: Hex; owner: Hex; candidate: Hex }>

export type OwnershipAccepted = Event<'OwnershipAccepted', { dataId: Hex; previousOwner: Hex; owner: Hex }>

export type Granted = Event<'Granted', { grantId: Hex; dataId: Hex; grantor: Hex; grant: Grant }>

export type GrantRevoked = Event<'GrantRevoked', { grantId: Hex; by: Hex }>

export type GrantCancelled = Event<'GrantCancelled', { grantId: Hex; grantor: Hex }>

export type GrantUsed = Event<'GrantUsed', { grantId: Hex; uses: bigint }>

export type BatchCommitted = Event<
  'BatchCommitted',
  {
    hostId: Hex
    firstSeq: bigint
    /** Index into `BATCH_MODES`. */
    mode: number
    count: number
    root: Hex
    head: Hex
    vmmHash: Hex
    nvCounter: bigint
    /** Records: one byte a record. Anchored: one byte (docs/formats.md, "Verdict bits"). */
    verdicts: Hex
  }
>

export type FraudProven = Event<'FraudProven', { hostId: Hex; fraud: number; seq: bigint; proofHash: Hex; by: Hex }>

export type LedgerEvent =
  | HostRegistered
  | HostStatusChanged
  | LedgerAddressRotated
  | LedgerAddressReplaced
  | AttestationKeyReplaced
  | RegistrarChanged
  | DecisionApproved
  | VmmProposed
  | VmmProven
  | VmmAuthorised
  | VmmRevoked
  | ApproversChanged
  | DataRegistered
  | OwnershipOffered
  | OwnershipAccepted
  | Granted
  | GrantRevoked
  | GrantCancelled
  | GrantUsed
  | BatchCommitted
  | FraudProven
