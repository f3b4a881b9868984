import type { AuditCode } from '../../src/auditor/audit-code.ts'
import type { LedgerHistory } from '../../src/auditor/state.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { signerOf } from '../../src/record/eip712.ts'
import type { Grant } from '../../src/record/grant.ts'
import { ZERO_ADDRESS, ZERO_HASH } from '../../src/record/hash.ts'

/** A grant on its way to the policy. */
export interface GrantCall {
  readonly grantId: Hex
  readonly grant: Grant
  readonly grantor: Hex
  /** Where it comes by signature, and not from the grantor itself. */
  readonly signature?: Hex
}

/** What a call was answered with: an error's name and its arguments, or that it was taken. */
export const TAKEN = 'taken'

/**
 * What AccessPolicy must say to a grant, in its own words, from docs/contracts.md and what the auditor's history knows.
 *
 * @param cancelled `GRANTOR/GRANT_ID` of each signature that was cancelled
 * @param timestamp the block's, in seconds since the epoch
 */
export function grantVerdict(
  history: LedgerHistory,
  cancelled: ReadonlySet<string>,
  { grantId, grant, grantor, signature }: GrantCall,
  timestamp: bigint,
): string {
  if (signature !== undefined && signerOf(grantId, signature) !== grantor) return 'SignatureInvalid()'
  const owner = history.ownerOf(grant.dataId)
  if (owner === undefined) return `DataUnknown(${grant.dataId})`
  if (history.grants.has(grantId)) return `GrantExists(${grantId})`
  if (cancelled.has(`${grantor}/${grantId}`)) return `GrantIsCancelled(${grantId})`
  const allowsNothing = grant.grantee === ZERO_ADDRESS || grant.maxUses === 0n || grant.notBefore > grant.notAfter
  if (allowsNothing || grant.minAssurance > 2) return 'GrantEmpty()'
  if (grant.delegationDepth > 8) return `DelegationTooDeep(${grant.delegationDepth})`
  if (grant.parent !== ZERO_HASH) return delegationVerdict(history, grant, grantor, timestamp)
  return grantor === owner ? TAKEN : `NotGrantor(${grantor})`
}

function delegationVerdict(history: LedgerHistory, grant: Grant, grantor: Hex, timestamp: bigint): string {
  const parent = history.grants.get(grant.parent)?.grant
  if (parent === undefined) return `GrantUnknown(${grant.parent})`
  if (grantor !== parent.grantee) return `NotGrantor(${grantor})`
  const revoked = history.chainOf(grant.parent).find((link) => link.revoked !== undefined)
  if (revoked !== undefined) return `GrantIsRevoked(${revoked.grantId})`
  if (parent.notAfter < timestamp) return `GrantIsExpired(${grant.parent})`
  if (grant.delegationDepth >= parent.delegationDepth) return `DelegationTooDeep(${grant.delegationDepth})`
  const within = (name: 'operationId' | 'vmmHash' | 'hostId'): boolean =>
    parent[name] === ZERO_HASH || parent[name] === grant[name]
  const isNarrower =
    grant.dataId === parent.dataId &&
    grant.notBefore >= parent.notBefore &&
    grant.notAfter <= parent.notAfter &&
    grant.maxUses <= parent.maxUses &&
    grant.minAssurance >= parent.minAssurance &&
    within('operationId') &&
    within('vmmHash') &&
    within('hostId')
  return isNarrower ? TAKEN : `DelegationWidens(${grant.parent})`
}

/**
 * What the auditor's `checkGranted` finds against a ledger that took what the policy refuses for this reason; undefined where it is
 * not its to find: its history finds what is there twice or cancelled, `verifyGrant` a signature, and what is empty or over gives
 * nobody anything.
 */
export function auditCodeOf(verdict: string): AuditCode | 'none' | undefined {
  if (verdict === TAKEN) return 'none'
  return AUDIT_CODES[verdict.replace(/\(.*/, '')]
}

const AUDIT_CODES: Readonly<Record<string, AuditCode>> = {
  DataUnknown: 'GRANTOR_WRONG',
  NotGrantor: 'GRANTOR_WRONG',
  GrantUnknown: 'GRANTOR_WRONG',
  GrantIsRevoked: 'GRANTOR_WRONG',
  DelegationWidens: 'GRANT_WIDENED',
}
