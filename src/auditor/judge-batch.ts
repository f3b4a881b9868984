import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { compareClock } from '../evidence/clock.ts'
import type { BatchCommitted, GrantUsed } from '../ledger/event.ts'
import { headAfter } from '../record/batch.ts'
import { verdictsOf, type Verdict } from '../record/verdict.ts'
import type { TpmClock } from '../tcg/attest.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { HostLog } from './host-log.ts'
import { judgeRecord } from './judge-record.ts'
import type { LedgerHistory } from './state.ts'
import { selectionText, type BatchContent } from './verify-batch.ts'

/** A batch, and what stood before it. */
export interface BatchSetting {
  readonly event: BatchCommitted
  readonly content: BatchContent
  /** The uses that the policy counted in the same transaction. */
  readonly uses: readonly GrantUsed[]
  /** Before the transaction; not changed. */
  readonly history: LedgerHistory
  /** The host's log before the batch; its records are entered. */
  readonly log: HostLog
  /** Where each request is on record; this batch's are entered. */
  readonly requests: Map<Hex, string>
  readonly maxPolicyAgeS: bigint
}

/** Judges a batch by what stood before it, and each of its records. */
export function judgeBatch(setting: BatchSetting, findings: FindingLog): void {
  const { event, content, log, uses } = setting
  const subject: Subject = { kind: 'batch', hostId: event.args.hostId, firstSeq: event.args.firstSeq }
  compareEvent(findings, subject, event, content)
  findings.same('HEAD_BROKEN', subject, 'prevHead', log.head, content.header.prevHead)
  if (content.quote !== undefined) log.pcrSelections.add(selectionText(content.quote.selections))
  const counted = judgeRecords(setting, findings, judgeOrder(log, content, subject, findings))
  const found = uses.map(({ args }) => `${args.grantId} ${args.uses.toString()}`)
  findings.same('BATCH_EVENT_DIFFERS', subject, 'uses counted', counted.join('; '), found.join('; '))
}

/** @returns the uses that the policy must have counted, in order */
function judgeRecords(
  { event, content, history, log, requests, maxPolicyAgeS }: BatchSetting,
  findings: FindingLog,
  shared: readonly Verdict[],
): readonly string[] {
  const { hostId, firstSeq } = event.args
  const verdicts = fromHex(event.args.verdicts)
  const counts = new Map<Hex, bigint>()
  const usesOf = (grantId: Hex): bigint => counts.get(grantId) ?? history.usesOf(grantId)
  const counted: string[] = []
  content.records.forEach((record, i) => {
    const about = { kind: 'record', hostId, seq: firstSeq + BigInt(i) } as const
    const judged = judgeRecord(record, {
      history,
      usesOf,
      blockNumber: event.blockNumber,
      blockTimestamp: content.blockTimestamp,
      policyTimestamp: content.policyTimestamps.get(record.policyBlock),
      provenVmmHash: content.quote?.vmmHash ?? event.args.vmmHash,
      shared,
      maxPolicyAgeS,
    })
    for (const { code, detail } of judged.findings) findings.add(code, about, detail)
    findings.same('VERDICT_DIFFERS', about, 'verdict', verdictText(judged.verdict), verdictText(verdicts[i]))
    const before = requests.get(record.requestHash)
    if (before === undefined) requests.set(record.requestHash, `${hostId}/${about.seq.toString()}`)
    else findings.add('REQUEST_REPEATED', about, `request ${record.requestHash} is on record at ${before} already`)
    for (const { grantId } of judged.isUse ? history.chainOf(record.grantId) : []) {
      const count = usesOf(grantId) + 1n
      counts.set(grantId, count)
      counted.push(`${grantId} ${count.toString()}`)
    }
    log.records.set(about.seq, { record, batch: firstSeq, blockNumber: event.blockNumber })
  })
  return counted
}

function compareEvent(
  findings: FindingLog,
  subject: Subject,
  { args }: BatchCommitted,
  { header, records, quote }: BatchContent,
): void {
  const pairs: readonly (readonly [string, unknown, unknown])[] = [
    ['hostId', header.hostId, args.hostId],
    ['firstSeq', header.firstSeq, args.firstSeq],
    ['count', header.count, args.count],
    ['root', header.root, args.root],
    ['head', headAfter(header), args.head],
    ['vmmHash', quote?.vmmHash ?? args.vmmHash, args.vmmHash],
    ['nvCounter', header.nvCounter, args.nvCounter],
    ['number of verdicts', records.length, fromHex(args.verdicts).length],
  ]
  for (const [name, expected, found] of pairs) {
    findings.same('BATCH_EVENT_DIFFERS', subject, name, expected, found)
  }
}

/** Whether the TPM's clock and counter went forward. The first batch has nothing before it. */
function judgeOrder(
  log: HostLog,
  { header, quote }: BatchContent,
  subject: Subject,
  findings: FindingLog,
): readonly Verdict[] {
  if (log.nextSeq === 0n) return []
  const shared: Verdict[] = []
  if (quote !== undefined && log.clock !== undefined && compareClock(quote.clock, log.clock) <= 0) {
    shared.push('CLOCK_NOT_FORWARD')
    findings.add('CLOCK_NOT_FORWARD', subject, `${clockText(log.clock)} before, ${clockText(quote.clock)} now`)
  }
  if (header.nvCounter <= log.nvCounter) {
    shared.push('NV_NOT_FORWARD')
    const detail = `${log.nvCounter.toString()} before, ${header.nvCounter.toString()} now`
    findings.add('NV_NOT_FORWARD', subject, detail)
  }
  return shared
}

function verdictText(byte: number | undefined): string {
  if (byte === undefined) return 'none'
  return byte === 0 ? '0' : `${toHex(Uint8Array.of(byte))} ${verdictsOf(byte).join('|')}`
}

function clockText({ resetCount, restartCount, clock }: TpmClock): string {
  return `(${resetCount}, ${restartCount}, ${clock.toString()})`
}
