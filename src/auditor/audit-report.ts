import type { Hex } from '../core/bytes.ts'
import type { AuditCode } from './audit-code.ts'

/** One thing that speaks against what the ledger says. */
export interface Finding {
  readonly code: AuditCode
  /** What it is about: `record HOST/SEQ`, `batch HOST/FIRST`, `host HOST`, `vmm HASH`, `grant ID`, `receipt HOST/SEQ` or `ledger`. */
  readonly subject: string
  /** What was expected and what was found. */
  readonly detail: string
}

/** One host, as its evidence shows it. */
export interface HostReport {
  readonly hostId: Hex
  /** What the certificate gives, not what the registry says; `Unverified` where it leads nowhere. */
  readonly assurance: 'Software' | 'Hardware' | 'Unverified'
  /** The certificate's subject, with what it says of the TPM; empty where it could not be read. Untrusted unless verified. */
  readonly subject: string
  readonly ledgerAddress: Hex
  readonly registeredAt: bigint
  readonly batches: number
  readonly operations: number
  readonly done: number
  readonly denied: number
  readonly failed: number
  readonly verified: number
  /** The head after the last batch, recomputed. */
  readonly head: Hex
  /** Bank and numbers of the PCRs that its batches' quotes cover, as text: `sha256:0,2,4`. */
  readonly pcrSelections: readonly string[]
}

/** What an audit checked and found. */
export interface AuditReport {
  /** No finding at all. */
  readonly ok: boolean
  /** On whose word the ledger's content was taken. */
  readonly trust: 'node'
  /** The same in words, for people. */
  readonly trustStatement: string
  readonly chainId: bigint
  readonly blocks: { readonly from: bigint; readonly to: bigint }
  readonly hosts: readonly HostReport[]
  readonly vmms: { readonly proposed: number; readonly authorised: number; readonly revoked: number }
  readonly grants: { readonly granted: number; readonly revoked: number }
  readonly receipts: number
  /** Records found on the ledger. */
  readonly operations: number
  /** Those against which nothing was found, neither against them nor against what they rest on. */
  readonly verified: number
  readonly findings: readonly Finding[]
  /** What this audit cannot say, in sentences. */
  readonly notCovered: readonly string[]
}
