import type { Hex } from '../core/bytes.ts'
import type { Endorsement } from '../evidence/endorsement.ts'
import type { BatchCommitted, FraudProven, LedgerEvent } from '../ledger/event.ts'
import { HOST_STATUSES } from '../ledger/state.ts'
import type { Receipt } from '../record/receipt.ts'
import { openContext, type AuditContext, type AuditTrust } from './audit-context.ts'
import type { AuditReport } from './audit-report.ts'
import { verifyActor, type Authorship } from './calldata.ts'
import { FindingLog } from './finding-log.ts'
import { identitiesOf } from './host-identity.ts'
import type { LedgerReader } from './ledger-reader.ts'
import { readEvents } from './read-events.ts'
import { replay } from './replay.ts'
import { verifyReplacedInTime } from './revoked-later.ts'
import { summarise } from './summarise.ts'
import { verifyBatch, type BatchContent } from './verify-batch.ts'
import { verifyApproval } from './verify-decision.ts'
import { verifyFraud, type HostPast } from './verify-fraud.ts'
import { verifyData, verifyGrant, verifyGrantCancelled, verifyGrantRevoked, verifyOwnership } from './verify-grant.ts'
import { verifyHost } from './verify-host.ts'
import { verifyReceipt } from './verify-receipt.ts'
import { verifyAddressReplacement, verifyReplacement, verifyRotation } from './verify-rotation.ts'
import { verifyState } from './verify-state.ts'
import { verifyProposal, verifyRevocation, verifyShown } from './verify-vmm.ts'

/** What an audit needs. */
export interface AuditOrder extends AuditTrust {
  /** A connected `Ledger`: chain id and code hashes were checked against the deployment. */
  readonly ledger: LedgerReader
  /** Customers' receipts to hold against the ledger. */
  readonly receipts?: readonly Receipt[]
  /** How far a record's time may be from that of the block at which access was checked; 600 s by default. */
  readonly maxPolicyAgeS?: number
  /** Told what is under way. */
  readonly onProgress?: (label: string) => void
}

/** How many events are verified at once. */
const AT_ONCE = 8
/** A halted ledger's first block may carry a time from before the halt, so this is not a tight limit. */
const MAX_POLICY_AGE_S = 600

/**
 * Audits everything that every host did, from the ledger alone. Nothing of a host's is asked, and no host's word is taken.
 *
 * Whatever goes wrong on the way is a finding: an audit that could not check something never ends with `ok`.
 *
 * @throws LedgerError only where the ledger's latest block cannot be read, so that nothing at all could be audited
 */
export async function auditLedger(order: AuditOrder): Promise<AuditReport> {
  const { ledger, receipts = [], onProgress = () => undefined } = order
  const context = await openContext(ledger, order)
  const findings = new FindingLog()
  const events = await readEvents(context, findings, onProgress)
  const evidence = await verifyEvents(context, findings, events, onProgress)
  onProgress('replaying the history')
  const maxPolicyAgeS = BigInt(order.maxPolicyAgeS ?? MAX_POLICY_AGE_S)
  const replayed = replay(events, evidence.contents, maxPolicyAgeS, findings)
  onProgress('comparing with the contracts’ state')
  await verifyState(context, findings, replayed)
  const domain = ledger.domain('auditLog')
  const outcomes = receipts.map((receipt) => ({
    receipt,
    outcome: verifyReceipt(findings, replayed, receipt, domain, context.to.number),
  }))
  return summarise({ context, findings, replayed, outcomes, ...evidence })
}

/** What the events prove by themselves, without the history. */
export interface EventEvidence {
  readonly contents: ReadonlyMap<BatchCommitted, BatchContent | undefined>
  /** What the trust store says of each host. */
  readonly endorsements: ReadonlyMap<Hex, Endorsement>
  /** How many acts stand on a contract's word alone, for who did them. */
  readonly indirect: number
}

async function verifyEvents(
  context: AuditContext,
  findings: FindingLog,
  events: readonly LedgerEvent[],
  onProgress: (label: string) => void,
): Promise<EventEvidence> {
  const identities = identitiesOf(events)
  const contents = new Map<BatchCommitted, BatchContent | undefined>()
  const endorsements = new Map<Hex, Endorsement>()
  let indirect = 0

  const verifyOne = async (event: LedgerEvent, found: FindingLog): Promise<void> => {
    const count = (authorship: Authorship): void => void (indirect += authorship === 'contract' ? 1 : 0)
    const identity = identities.get(event)
    switch (event.name) {
      case 'HostRegistered': {
        const endorsement = await verifyHost(context, found, event)
        if (endorsement !== undefined) endorsements.set(event.args.hostId, endorsement)
        return
      }
      case 'HostStatusChanged': {
        const { hostId, by, status } = event.args
        const names = [
          { Active: 'reinstate', Suspended: 'suspend', Retired: 'retire' }[String(HOST_STATUSES[status])] ?? '',
        ]
        const expected = { names, actor: by, args: { hostId } }
        return count(await verifyActor(context, found, { kind: 'host', hostId }, event, expected))
      }
      case 'LedgerAddressRotated':
        return verifyRotation(context, found, event, identity)
      case 'LedgerAddressReplaced':
        return verifyAddressReplacement(context, found, event, identity)
      case 'AttestationKeyReplaced':
        return verifyReplacement(context, found, event, identity)
      case 'DecisionApproved':
        return count(await verifyApproval(context, found, event))
      case 'VmmProposed':
        return verifyProposal(context, found, event, identity)
      case 'VmmProven':
        return verifyShown(context, found, event, identity)
      case 'VmmRevoked':
        return count(await verifyRevocation(context, found, event))
      case 'DataRegistered':
        return count(await verifyData(context, found, event))
      case 'OwnershipOffered':
      case 'OwnershipAccepted':
        return count(await verifyOwnership(context, found, event))
      case 'Granted':
        return count(await verifyGrant(context, found, event))
      case 'GrantRevoked':
        return count(await verifyGrantRevoked(context, found, event))
      case 'GrantCancelled':
        return count(await verifyGrantCancelled(context, found, event))
      case 'BatchCommitted':
        contents.set(event, await verifyBatch(context, found, event, identity))
        return
      case 'FraudProven':
        return verifyFraud(context, found, event, pastOf(events, event))
      // These follow from approvals and batches: the history says whether they do.
      case 'RegistrarChanged':
      case 'ApproversChanged':
      case 'VmmAuthorised':
      case 'GrantUsed':
        return
    }
  }

  for (let i = 0; i < events.length; i += AT_ONCE) {
    onProgress(`verifying evidence: ${i} of ${events.length} events`)
    const some = events.slice(i, i + AT_ONCE).map((event) => ({ event, found: new FindingLog() }))
    await Promise.all(
      some.map(({ event, found }) =>
        found.attempt('LEDGER_UNREADABLE', { kind: 'ledger' }, event.name, () => verifyOne(event, found)),
      ),
    )
    for (const { found } of some) findings.include(found)
  }
  // Only now is every registration judged, in whatever order they came to their end.
  for (const event of events) {
    if (event.name !== 'AttestationKeyReplaced') continue
    await findings.attempt('LEDGER_UNREADABLE', { kind: 'ledger' }, event.name, () =>
      verifyReplacedInTime(context, findings, event, endorsements.get(event.args.hostId)),
    )
  }
  return { contents, endorsements, indirect }
}

function pastOf(events: readonly LedgerEvent[], fraud: FraudProven): HostPast {
  const { hostId } = fraud.args
  const before = events.slice(0, events.indexOf(fraud))
  const batches = before.filter(
    (one): one is BatchCommitted => one.name === 'BatchCommitted' && one.args.hostId === hostId,
  )
  return { addresses: addressesOf(events, hostId), batches }
}

/** Every ledger address that ever spoke for a host. */
function addressesOf(events: readonly LedgerEvent[], hostId: Hex): readonly Hex[] {
  return events.flatMap((event) => {
    if (event.name === 'HostRegistered' && event.args.hostId === hostId) return [event.args.ledgerAddress]
    const isChange = event.name === 'LedgerAddressRotated' || event.name === 'LedgerAddressReplaced'
    return isChange && event.args.hostId === hostId ? [event.args.to] : []
  })
}
