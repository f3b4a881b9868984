import { fromHex } from '../core/bytes.ts'
import { vmmHashOfQuoteInfo } from '../evidence/vmm-hash.ts'
import type { HostRegistered, VmmApproved, VmmProposed, VmmRevoked } from '../ledger/event.ts'
import { VMM_STATUSES } from '../ledger/state.ts'
import { ask, type AuditContext } from './audit-context.ts'
import { directCallOf, verifyActor, type Authorship } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { isFresh, verifyProposalQuote } from './verify-quote.ts'

/**
 * Verifies that a host really booted the VMM that was proposed.
 *
 * @param host the registration of the host that the event names, undefined where there is none
 */
export async function verifyProposal(
  context: AuditContext,
  findings: FindingLog,
  event: VmmProposed,
  host: HostRegistered | undefined,
): Promise<void> {
  const { vmmHash, hostId, manifestHash, attested } = event.args
  const subject: Subject = { kind: 'vmm', vmmHash }
  findings.same('VMM_HASH_DIFFERS', subject, 'vmmHash', vmmHashOfQuoteInfo(fromHex(attested)), vmmHash)
  const call = await directCallOf(context, findings, subject, event, 'propose')
  if (call === undefined) return
  findings.same('CALLDATA_DIFFERS', subject, 'hostId', hostId, call.args['hostId'])
  findings.same('CALLDATA_DIFFERS', subject, 'manifestHash', manifestHash, call.args['manifestHash'])
  const { anchorBlock } = call.args as { readonly anchorBlock: bigint }
  if (!isFresh(anchorBlock, event.blockNumber)) {
    findings.add('ANCHOR_STALE', subject, `anchor ${anchorBlock.toString()}, block ${event.blockNumber.toString()}`)
  }
  await findings.attempt('VMM_QUOTE_INVALID', subject, 'quote of the proposal', async () => {
    if (host === undefined) throw new RangeError(`host ${hostId} is not registered`)
    const verified = await verifyProposalQuote(context, host.args.akPublic, event.args, call.args)
    findings.same('VMM_HASH_DIFFERS', subject, 'vmmHash that the quote shows', verified.vmmHash, vmmHash)
  })
}

/** Verifies that an approval or a revocation is an approver's. */
export async function verifyApprover(
  context: AuditContext,
  findings: FindingLog,
  event: VmmApproved | VmmRevoked,
): Promise<Authorship> {
  const { vmmHash, approver, epoch } = event.args
  const subject: Subject = { kind: 'vmm', vmmHash }
  await findings.attempt('LEDGER_UNREADABLE', subject, 'approver', async () => {
    const isApprover = await ask(context, 'vmmRegistry', 'isApprover', [approver])
    if (isApprover !== true) findings.add('APPROVER_UNKNOWN', subject, `${approver} is no approver`)
  })
  const isApproval = event.name === 'VmmApproved'
  const args = isApproval ? { vmmHash, epoch } : { vmmHash }
  return verifyActor(context, findings, subject, event, {
    names: [isApproval ? 'approve' : 'revoke'],
    actor: approver,
    args,
  })
}

/** Verifies that a VMM is authorised by the approval that reaches the threshold, and by none before. */
export async function verifyThreshold(
  context: AuditContext,
  findings: FindingLog,
  { args: { vmmHash, approvals, status } }: VmmApproved,
): Promise<void> {
  const subject: Subject = { kind: 'vmm', vmmHash }
  await findings.attempt('LEDGER_UNREADABLE', subject, 'threshold', async () => {
    const threshold = Number(await ask(context, 'vmmRegistry', 'threshold', []))
    const expected = approvals >= threshold ? 'Authorised' : 'Proposed'
    const found = VMM_STATUSES[status]
    if (found === expected) return
    const detail = `after ${approvals} approvals of ${threshold}: expected ${expected}, found ${String(found)}`
    findings.add('THRESHOLD_MISSED', subject, detail)
  })
}
