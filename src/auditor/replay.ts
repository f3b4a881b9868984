import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import type { BatchCommitted, GrantUsed, LedgerEvent, VmmAuthorised } from '../ledger/event.ts'
import { HOST_STATUSES } from '../ledger/state.ts'
import { batchLeaf } from '../record/batch.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { append } from '../record/mountain-range.ts'
import { checkGranted, checkRevoked, type GrantFault } from './check-grant.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { HostLog } from './host-log.ts'
import { judgeBatch } from './judge-batch.ts'
import { LedgerHistory } from './state.ts'
import type { BatchContent } from './verify-batch.ts'

/** What was read of each batch; undefined where nothing could be. */
export type BatchContents = ReadonlyMap<BatchCommitted, BatchContent | undefined>

/** What the whole of the ledger adds up to. */
export interface Replayed {
  readonly history: LedgerHistory
  readonly logs: ReadonlyMap<Hex, HostLog>
}

/** Replays all events in order, and judges every batch and every record by what stood before it. Pure. */
export function replay(
  events: readonly LedgerEvent[],
  contents: BatchContents,
  maxPolicyAgeS: bigint,
  findings: FindingLog,
): Replayed {
  const replay = new Replay(contents, maxPolicyAgeS, findings)
  for (const event of events) {
    try {
      replay.take(event)
    } catch (error) {
      findings.add('HISTORY_INCONSISTENT', { kind: 'ledger' }, `${event.name}: ${messageOf(error)}`)
    }
  }
  replay.end()
  return replay
}

class Replay implements Replayed {
  readonly history = new LedgerHistory()
  readonly logs = new Map<Hex, HostLog>()
  readonly #contents: BatchContents
  readonly #maxPolicyAgeS: bigint
  readonly #findings: FindingLog
  readonly #requests = new Map<Hex, string>()
  /** Uses that the policy counted in the transaction at hand: their batch's event comes after them. */
  #uses: GrantUsed[] = []

  constructor(contents: BatchContents, maxPolicyAgeS: bigint, findings: FindingLog) {
    this.#contents = contents
    this.#maxPolicyAgeS = maxPolicyAgeS
    this.#findings = findings
  }

  take(event: LedgerEvent): void {
    if (this.#uses[0] !== undefined && this.#uses[0].transactionHash !== event.transactionHash) this.end()
    switch (event.name) {
      case 'GrantUsed':
        this.#uses.push(event)
        return
      case 'BatchCommitted':
        this.#batch(event)
        return
      case 'Granted':
        this.#addFaults(event.args.grantId, checkGranted(this.history, event))
        break
      case 'GrantRevoked':
        this.#addFaults(event.args.grantId, checkRevoked(this.history, event))
        break
      case 'HostRegistered':
        this.#requireRegistrar(event.args.registrar, event.args.hostId)
        if (!this.logs.has(event.args.hostId)) this.logs.set(event.args.hostId, new HostLog(event.args.hostId))
        break
      case 'AttestationKeyReplaced':
      case 'LedgerAddressReplaced':
        this.#requireRegistrar(event.args.registrar, event.args.hostId)
        break
      case 'HostStatusChanged': {
        const { by, hostId, status } = event.args
        const mayApprover = HOST_STATUSES[status] === 'Suspended' && this.history.decisions.isApprover(by)
        if (!mayApprover) this.#requireRegistrar(by, hostId)
        break
      }
      case 'DecisionApproved':
        this.#requireApprover(event.args.approver, { kind: 'ledger' })
        break
      case 'VmmRevoked':
        this.#requireApprover(event.args.approver, { kind: 'vmm', vmmHash: event.args.vmmHash })
        break
      case 'VmmAuthorised':
        this.#requireSupport(event)
        break
      case 'LedgerAddressRotated':
      case 'RegistrarChanged':
      case 'ApproversChanged':
      case 'VmmProposed':
      case 'VmmProven':
      case 'DataRegistered':
      case 'OwnershipOffered':
      case 'OwnershipAccepted':
      case 'GrantCancelled':
      case 'FraudProven':
        break
    }
    this.#apply(event)
  }

  /** Uses whose batch never came: nobody but the AuditLog may count one. */
  end(): void {
    for (const use of this.#uses) {
      this.#addInconsistency(`a use of grant ${use.args.grantId} without a batch in its transaction`)
      this.#apply(use)
    }
    this.#uses = []
  }

  #batch(event: BatchCommitted): void {
    const { hostId, firstSeq, count, head, nvCounter } = event.args
    const log = this.logs.get(hostId) ?? new HostLog(hostId)
    if (!this.logs.has(hostId)) this.#addInconsistency(`a batch of host ${hostId}, which is not registered`)
    this.logs.set(hostId, log)
    this.#findings.same('BATCH_NOT_NEXT', { kind: 'batch', hostId, firstSeq }, 'first number', log.nextSeq, firstSeq)
    const content = this.#contents.get(event)
    if (content !== undefined) {
      const { history } = this
      const [uses, requests, maxPolicyAgeS] = [this.#uses, this.#requests, this.#maxPolicyAgeS]
      judgeBatch({ event, content, uses, history, log, requests, maxPolicyAgeS }, this.#findings)
    }
    for (const use of this.#uses) this.#apply(use)
    this.#uses = []
    // What cannot be read is a finding already; the log goes on behind it, by the event's word.
    log.clock = content?.quote?.clock
    log.batches++
    log.range = content && log.range && append(log.range, batchLeaf(content.header))
    log.nextSeq = firstSeq + BigInt(count)
    log.head = head
    log.nvCounter = nvCounter
  }

  #apply(event: LedgerEvent): void {
    const contradiction = this.history.apply(event)
    if (contradiction !== undefined) this.#addInconsistency(contradiction)
  }

  #requireRegistrar(account: Hex, hostId: Hex): void {
    if (this.history.decisions.isRegistrar(account)) return
    this.#findings.add('REGISTRAR_UNKNOWN', { kind: 'host', hostId }, `${account} is no registrar`)
  }

  #requireApprover(account: Hex, subject: Subject): void {
    if (this.history.decisions.isApprover(account)) return
    this.#findings.add('APPROVER_UNKNOWN', subject, `${account} is no approver`)
  }

  #requireSupport({ args: { vmmHash, epoch, validUntil } }: VmmAuthorised): void {
    const { decisions, vmms } = this.history
    // An epoch has one manifest, which a quote that proves it must have too.
    const manifestHash = vmms.get(vmmHash)?.proposals.at(-1)?.args.manifestHash ?? ZERO_HASH
    const content = { vmmHash, epoch, manifestHash, validUntil, term: decisions.term?.number ?? 0 }
    const { approvals, threshold } = decisions.supportOf('vmmRegistry', { kind: 'VmmApproval', content })
    if (approvals >= threshold) return
    this.#findings.add(
      'THRESHOLD_MISSED',
      { kind: 'vmm', vmmHash },
      `authorised by ${approvals} approvals of ${threshold}`,
    )
  }

  #addFaults(grantId: Hex, faults: readonly GrantFault[]): void {
    for (const { code, detail } of faults) this.#findings.add(code, { kind: 'grant', grantId }, detail)
  }

  #addInconsistency(detail: string): void {
    this.#findings.add('HISTORY_INCONSISTENT', { kind: 'ledger' }, detail)
  }
}
