import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { compareClock } from '../evidence/clock.ts'
import type { BatchCommitted, GrantUsed, LedgerEvent } from '../ledger/event.ts'
import { headAfter } from '../record/batch.ts'
import { verdictsOf, type Verdict } from '../record/verdict.ts'
import { checkGranted, checkRevoked } from './check-grant.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { HostLog } from './host-log.ts'
import { judgeRecord, type RecordSetting } from './judge-record.ts'
import { LedgerHistory } from './state.ts'
import { selectionText, type BatchContent } from './verify-batch.ts'

/** What the whole of the ledger adds up to. */
export interface Replayed {
  readonly history: LedgerHistory
  readonly logs: ReadonlyMap<Hex, HostLog>
}

/**
 * Replays all events in order, and judges every batch and every record by what stood before it. Pure.
 *
 * @param contents what was read of each batch; undefined where nothing could be
 */
export function replay(
  events: readonly LedgerEvent[],
  contents: ReadonlyMap<BatchCommitted, BatchContent | undefined>,
  maxPolicyAgeS: bigint,
  findings: FindingLog,
): Replayed {
  const replay = new Replay(contents, maxPolicyAgeS, findings)
  for (const event of events) replay.take(event)
  replay.end()
  return replay
}

class Replay implements Replayed {
  readonly history = new LedgerHistory()
  readonly logs = new Map<Hex, HostLog>()
  readonly #contents: ReadonlyMap<BatchCommitted, BatchContent | undefined>
  readonly #maxPolicyAgeS: bigint
  readonly #findings: FindingLog
  readonly #requests = new Map<Hex, string>()
  /** Uses that the policy counted in the transaction at hand: their batch's event comes after them. */
  #uses: GrantUsed[] = []

  constructor(
    contents: ReadonlyMap<BatchCommitted, BatchContent | undefined>,
    maxPolicyAgeS: bigint,
    findings: FindingLog,
  ) {
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
        this.#faults(event.args.grantId, checkGranted(this.history, event))
        break
      case 'GrantRevoked':
        this.#faults(event.args.grantId, checkRevoked(this.history, event))
        break
      case 'HostRegistered':
        if (!this.logs.has(event.args.hostId)) this.logs.set(event.args.hostId, new HostLog(event.args.hostId))
        break
      case 'HostStatusChanged':
      case 'VmmProposed':
      case 'VmmApproved':
      case 'VmmRevoked':
      case 'DataRegistered':
        break
    }
    this.#apply(event)
  }

  /** Uses whose batch never came: nobody but the AuditLog may count one. */
  end(): void {
    for (const use of this.#uses) {
      this.#inconsistent(`a use of grant ${use.args.grantId} without a batch in its transaction`)
      this.#apply(use)
    }
    this.#uses = []
  }

  #faults(grantId: Hex, faults: ReturnType<typeof checkGranted>): void {
    for (const { code, detail } of faults) this.#findings.add(code, { kind: 'grant', grantId }, detail)
  }

  #apply(event: LedgerEvent): void {
    const contradiction = this.history.apply(event)
    if (contradiction !== undefined) this.#inconsistent(contradiction)
  }

  #inconsistent(detail: string): void {
    this.#findings.add('HISTORY_INCONSISTENT', { kind: 'ledger' }, detail)
  }

  #batch(event: BatchCommitted): void {
    const { hostId, firstSeq, count, head, nvCounter } = event.args
    const subject: Subject = { kind: 'batch', hostId, firstSeq }
    const log = this.logs.get(hostId) ?? new HostLog(hostId)
    if (!this.logs.has(hostId)) this.#inconsistent(`a batch of host ${hostId}, which is not registered`)
    this.logs.set(hostId, log)
    const content = this.#contents.get(event)
    this.#findings.same('BATCH_NOT_NEXT', subject, 'first number', log.nextSeq, firstSeq)
    if (content === undefined) {
      // What cannot be read stays a finding; the log goes on behind it, by the event's word.
      for (const use of this.#uses) this.#apply(use)
      log.clock = undefined
    } else {
      this.#judge(event, log, content)
      log.clock = content.quote?.clock
    }
    this.#uses = []
    log.batches++
    log.nextSeq = firstSeq + BigInt(count)
    log.head = head
    log.nvCounter = nvCounter
  }

  #judge(event: BatchCommitted, log: HostLog, content: BatchContent): void {
    const { hostId, firstSeq } = event.args
    const subject: Subject = { kind: 'batch', hostId, firstSeq }
    const { header, records, quote } = content
    this.#compareEvent(event, content)
    this.#findings.same('HEAD_BROKEN', subject, 'prevHead', log.head, header.prevHead)
    if (quote !== undefined) log.pcrSelections.add(selectionText(quote.selections))
    const shared = this.#order(log, content, subject)
    const uses = new Map<Hex, bigint>()
    const expected: string[] = []
    const verdicts = fromHex(event.args.verdicts)
    this.#findings.same('BATCH_EVENT_DIFFERS', subject, 'verdicts', records.length, verdicts.length)
    records.forEach((record, i) => {
      const setting: RecordSetting = {
        history: this.history,
        usesOf: (grantId) => uses.get(grantId) ?? this.history.usesOf(grantId),
        blockNumber: event.blockNumber,
        blockTimestamp: content.blockTimestamp,
        policyTimestamp: content.policyTimestamps.get(record.policyBlock),
        provenVmmHash: quote?.vmmHash ?? event.args.vmmHash,
        shared,
        maxPolicyAgeS: this.#maxPolicyAgeS,
      }
      const judged = judgeRecord(record, setting)
      const about: Subject = { kind: 'record', hostId, seq: firstSeq + BigInt(i) }
      for (const { code, detail } of judged.findings) this.#findings.add(code, about, detail)
      this.#findings.same('VERDICT_DIFFERS', about, 'verdict', verdictText(judged.verdict), verdictText(verdicts[i]))
      this.#once(record.requestHash, about, `${hostId}/${about.seq.toString()}`)
      if (judged.isUse) {
        for (const { grantId } of this.history.chainOf(record.grantId)) {
          const count = setting.usesOf(grantId) + 1n
          uses.set(grantId, count)
          expected.push(`${grantId} ${count.toString()}`)
        }
      }
      log.records.set(about.seq, { record, batch: firstSeq, blockNumber: event.blockNumber })
    })
    const found = this.#uses.map(({ args }) => `${args.grantId} ${args.uses.toString()}`)
    this.#findings.same('BATCH_EVENT_DIFFERS', subject, 'uses counted', expected.join('; '), found.join('; '))
    for (const use of this.#uses) this.#apply(use)
  }

  #compareEvent({ args }: BatchCommitted, { header, quote }: BatchContent): void {
    const subject: Subject = { kind: 'batch', hostId: args.hostId, firstSeq: args.firstSeq }
    const pairs: readonly (readonly [string, unknown, unknown])[] = [
      ['hostId', header.hostId, args.hostId],
      ['firstSeq', header.firstSeq, args.firstSeq],
      ['count', header.count, args.count],
      ['root', header.root, args.root],
      ['head', headAfter(header), args.head],
      ['vmmHash', quote?.vmmHash ?? args.vmmHash, args.vmmHash],
      ['nvCounter', header.nvCounter, args.nvCounter],
    ]
    for (const [name, expected, found] of pairs) {
      this.#findings.same('BATCH_EVENT_DIFFERS', subject, name, expected, found)
    }
  }

  /** Whether the TPM's clock and counter went forward. The first batch has nothing before it. */
  #order(log: HostLog, { header, quote }: BatchContent, subject: Subject): readonly Verdict[] {
    if (log.nextSeq === 0n) return []
    const shared: Verdict[] = []
    if (quote !== undefined && log.clock !== undefined && compareClock(quote.clock, log.clock) <= 0) {
      shared.push('CLOCK_NOT_FORWARD')
      this.#findings.add('CLOCK_NOT_FORWARD', subject, `${clockText(log.clock)} before, ${clockText(quote.clock)} now`)
    }
    if (header.nvCounter <= log.nvCounter) {
      shared.push('NV_NOT_FORWARD')
      const detail = `${log.nvCounter.toString()} before, ${header.nvCounter.toString()} now`
      this.#findings.add('NV_NOT_FORWARD', subject, detail)
    }
    return shared
  }

  #once(requestHash: Hex, subject: Subject, place: string): void {
    const before = this.#requests.get(requestHash)
    if (before === undefined) this.#requests.set(requestHash, place)
    else this.#findings.add('REQUEST_REPEATED', subject, `request ${requestHash} is on record at ${before} already`)
  }
}

function verdictText(byte: number | undefined): string {
  if (byte === undefined) return 'none'
  return byte === 0 ? '0' : `${toHex(Uint8Array.of(byte))} ${verdictsOf(byte).join('|')}`
}

function clockText({
  resetCount,
  restartCount,
  clock,
}: {
  resetCount: number
  restartCount: number
  clock: bigint
}): string {
  return `(${resetCount}, ${restartCount}, ${clock.toString()})`
}
