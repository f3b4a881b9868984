import { fromHex } from '../core/bytes.ts'
import { vmmHashOfQuoteInfo } from '../evidence/vmm-hash.ts'
import type { VmmProposed, VmmProven, VmmRevoked } from '../ledger/event.ts'
import { ZERO_HASH } from '../record/hash.ts'
import type { AuditContext } from './audit-context.ts'
import { callOf, directCallOf, verifyActor, type Authorship } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { HostIdentity } from './host-identity.ts'
import { isFresh, verifyProposalQuote } from './verify-quote.ts'

/**
 * Verifies that a host really booted the VMM that was proposed; or, for a prediction, that its hash is of what was announced.
 *
 * @param identity the keys of the host that the event names, undefined where there is none
 */
export async function verifyProposal(
  context: AuditContext,
  findings: FindingLog,
  event: VmmProposed,
  identity: HostIdentity | undefined,
): Promise<void> {
  const { vmmHash, hostId, manifestHash, attested } = event.args
  const subject: Subject = { kind: 'vmm', vmmHash }
  findings.same('VMM_HASH_DIFFERS', subject, 'vmmHash', vmmHashOfQuoteInfo(fromHex(attested)), vmmHash)
  if (hostId !== ZERO_HASH) return verifyShown(context, findings, event, identity)
  const call = await callOf(context, findings, subject, event)
  if (call === undefined || call === 'indirect') return
  findings.same('CALLDATA_MALFORMED', subject, 'function', 'predict', call.name)
  findings.same('CALLDATA_DIFFERS', subject, 'manifestHash', manifestHash, call.args['manifestHash'])
  findings.same('CALLDATA_DIFFERS', subject, 'attested', attested, call.args['attested'])
}

/**
 * Verifies the quote with which a host showed a VMM, as a proposal or to prove a prediction.
 *
 * @param identity the keys of the host that the event names, undefined where there is none
 */
export async function verifyShown(
  context: AuditContext,
  findings: FindingLog,
  event: VmmProposed | VmmProven,
  identity: HostIdentity | undefined,
): Promise<void> {
  const { vmmHash, hostId } = event.args
  const subject: Subject = { kind: 'vmm', vmmHash }
  const call = await directCallOf(context, findings, subject, event, 'propose')
  if (call === undefined) return
  const { anchorBlock, manifestHash } = call.args as { anchorBlock: bigint; manifestHash: `0x${string}` }
  findings.same('CALLDATA_DIFFERS', subject, 'hostId', hostId, call.args['hostId'])
  if (event.name === 'VmmProposed') {
    findings.same('CALLDATA_DIFFERS', subject, 'manifestHash', event.args.manifestHash, manifestHash)
  }
  if (!isFresh(anchorBlock, event.blockNumber)) {
    findings.add('ANCHOR_STALE', subject, `anchor ${anchorBlock.toString()}, block ${event.blockNumber.toString()}`)
  }
  await findings.attempt('VMM_QUOTE_INVALID', subject, 'quote', async () => {
    if (identity === undefined) throw new RangeError(`host ${hostId} is not registered`)
    const claim = { hostId, manifestHash }
    const verified = await verifyProposalQuote(context, identity.akQualifiedName, claim, call.args)
    findings.same('VMM_HASH_DIFFERS', subject, 'vmmHash that the quote shows', verified.vmmHash, vmmHash)
  })
}

/** Verifies that a VMM was revoked by who the event says. That it is an approver, the history says. */
export async function verifyRevocation(
  context: AuditContext,
  findings: FindingLog,
  event: VmmRevoked,
): Promise<Authorship> {
  const { vmmHash, approver } = event.args
  const expected = { names: ['revoke'], actor: approver, args: { vmmHash } }
  return verifyActor(context, findings, { kind: 'vmm', vmmHash }, event, expected)
}
