import type { Hex } from '../core/bytes.ts'
import type { AccessRequest } from '../ledger/state.ts'
import { ASSURANCES } from '../ledger/state.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { REASONS } from '../record/reason.ts'
import type { GrantHistory, LedgerHistory } from './state.ts'

/**
 * Whether the policy allows an access, by the history alone: what `AccessPolicy.checkAccess` answers, evaluated without it
 * (docs/formats.md, "Reason codes").
 *
 * @param request Hex in lower case
 * @param usesOf how often a grant counts as used: the contract takes the count as it is when it is asked, whatever `asOf`
 * @returns 0 where it does, else the first reason that refuses
 */
export function checkAccess(history: LedgerHistory, request: AccessRequest, usesOf: (grantId: Hex) => bigint): number {
  const { asOf, dataId, grantId, hostId, requester } = request
  const status = history.hostStatus(hostId, asOf)
  if (status === 'None') return REASONS.HOST_UNKNOWN
  if (status !== 'Active') return REASONS.HOST_NOT_ACTIVE
  if (!history.vmmAuthorised(request.vmmHash, asOf, request.timestamp)) return REASONS.VMM_NOT_AUTHORISED

  const owner = history.ownerAt(dataId, asOf)
  if (owner === undefined) return REASONS.DATA_UNKNOWN
  if (grantId === ZERO_HASH) return requester === owner ? REASONS.DONE : REASONS.GRANT_MISSING

  const named = history.grants.get(grantId)
  if (named === undefined || named.granted.blockNumber > asOf) return REASONS.GRANT_UNKNOWN
  if (named.grant.dataId !== dataId) return REASONS.GRANT_OTHER_DATA
  if (named.grant.grantee !== requester) return REASONS.GRANT_OTHER_GRANTEE

  const assurance = history.hosts.get(hostId)?.registered.args.assurance ?? ASSURANCES.indexOf('None')
  const reasons = history
    .chainOf(grantId)
    .map((link) => checkGrant(link, request, assurance, usesOf(link.grantId)))
    .filter((reason) => reason !== REASONS.DONE)
  return reasons.length === 0 ? REASONS.DONE : Math.min(...reasons)
}

function checkGrant({ grant, revoked }: GrantHistory, request: AccessRequest, assurance: number, uses: bigint): number {
  const { timestamp, asOf } = request
  if (revoked !== undefined && revoked.blockNumber <= asOf) return REASONS.GRANT_REVOKED
  if (timestamp < grant.notBefore) return REASONS.GRANT_NOT_YET_VALID
  if (timestamp > grant.notAfter) return REASONS.GRANT_EXPIRED
  if (uses >= grant.maxUses) return REASONS.GRANT_EXHAUSTED
  if (!within(request.operationId, grant.operationId)) return REASONS.GRANT_OTHER_OPERATION
  if (!within(request.hostId, grant.hostId)) return REASONS.GRANT_OTHER_HOST
  if (!within(request.vmmHash, grant.vmmHash)) return REASONS.GRANT_OTHER_VMM
  return assurance < grant.minAssurance ? REASONS.GRANT_ASSURANCE : REASONS.DONE
}

function within(value: Hex, limit: Hex): boolean {
  return limit === ZERO_HASH || value === limit
}
