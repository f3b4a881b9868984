import type { Hex } from '../core/bytes.ts'
import type { Granted, GrantRevoked } from '../ledger/event.ts'
import { ZERO_HASH } from '../record/hash.ts'
import type { AuditCode } from './audit-code.ts'
import type { LedgerHistory } from './state.ts'

export interface GrantFault {
  readonly code: AuditCode
  readonly detail: string
}

/**
 * Whether a grant could be made: by the data's owner, or by the grantee of a grant that still stood, allowing nothing more.
 *
 * @param history as it stood before the grant
 */
export function checkGranted(history: LedgerHistory, { args: { grant, grantor } }: Granted): readonly GrantFault[] {
  const owner = history.ownerOf(grant.dataId)
  if (owner === undefined) return [{ code: 'GRANTOR_WRONG', detail: `data ${grant.dataId} is not registered` }]
  if (grant.parent === ZERO_HASH) return actor(grantor, [owner])
  const parent = history.grants.get(grant.parent)?.grant
  if (parent === undefined) return [{ code: 'GRANTOR_WRONG', detail: `no grant ${grant.parent} to delegate from` }]
  const faults = [...actor(grantor, [parent.grantee])]
  const revoked = history.chainOf(grant.parent).find((link) => link.revoked !== undefined)
  if (revoked !== undefined) faults.push({ code: 'GRANTOR_WRONG', detail: `${revoked.grantId} was revoked before` })
  const wider = [
    grant.dataId !== parent.dataId && 'dataId',
    grant.notBefore < parent.notBefore && 'notBefore',
    grant.notAfter > parent.notAfter && 'notAfter',
    grant.maxUses > parent.maxUses && 'maxUses',
    grant.minAssurance < parent.minAssurance && 'minAssurance',
    grant.delegationDepth >= parent.delegationDepth && 'delegationDepth',
    isWider(grant.operationId, parent.operationId) && 'operationId',
    isWider(grant.vmmHash, parent.vmmHash) && 'vmmHash',
    isWider(grant.hostId, parent.hostId) && 'hostId',
  ].filter((name) => name !== false)
  if (wider.length > 0)
    faults.push({ code: 'GRANT_WIDENED', detail: `wider than ${grant.parent} in ${wider.join(', ')}` })
  return faults
}

/** Whether a grant could be revoked by who did: its grantor, or the data's owner. */
export function checkRevoked(history: LedgerHistory, { args: { grantId, by } }: GrantRevoked): readonly GrantFault[] {
  const known = history.grants.get(grantId)
  if (known === undefined) return []
  const owner = history.ownerOf(known.grant.dataId)
  return actor(by, owner === undefined ? [known.granted.args.grantor] : [known.granted.args.grantor, owner])
}

function actor(found: Hex, allowed: readonly Hex[]): readonly GrantFault[] {
  if (allowed.includes(found)) return []
  return [{ code: 'GRANTOR_WRONG', detail: `expected ${allowed.join(' or ')}, found ${found}` }]
}

function isWider(child: Hex, parent: Hex): boolean {
  return parent !== ZERO_HASH && child !== parent
}
