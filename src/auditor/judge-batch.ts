import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { compareClock } from '../evidence/clock.ts'
import type { BatchCommitted, GrantUsed } from '../ledger/event.ts'
import { BATCH_MODES } from '../ledger/state.ts'
import { headAfter } from '../record/batch.ts'
import type { OperationRecord } from '../record/record.ts'
import { verdictsOf, type Verdict } from '../record/verdict.ts'
import type { TpmClock } from '../tcg/attest.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { HostLog } from './host-log.ts'
import { judgeRecord, verdictByte, verdictsOfRecord, type RecordSetting } from './judge-record.ts'
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
  const { records } = content
  const subject: Subject = { kind: 'batch', hostId: event.args.hostId, firstSeq: event.args.firstSeq }
  compareEvent(findings, subject, event, content)
  findings.same('HEAD_BROKEN', subject, 'prevHead', log.head, content.header.prevHead)
  if (content.quote !== undefined) log.pcrSelections.add(selectionText(content.quote.selections))
  const shared = judgeOrder(log, content, subject, findings)
  if (records === undefined) judgeAnchored(setting, subject, findings, shared)
  const counted = records === undefined ? [] : judgeRecords(setting, records, findings, shared)
  const found = uses.map(({ args }) => `${args.grantId} ${args.uses.toString()}`)
  findings.same('BATCH_EVENT_DIFFERS', subject, 'uses counted', counted.join('; '), found.join('; '))
}

/** The verdict of a batch whose records are not on the ledger: on its host and VMM, as of the quote's anchor. */
function judgeAnchored(
  { event, content, history, log }: BatchSetting,
  subject: Subject,
  findings: FindingLog,
  shared: readonly Verdict[],
): void {
  const { hostId, firstSeq, count, vmmHash, verdicts } = event.args
  const { anchorBlock } = content.header
  const bits = [...shared]
  if (history.hostStatus(hostId, anchorBlock) !== 'Active') {
    bits.push('HOST_NOT_ACTIVE')
    findings.add('HOST_NOT_ACTIVE', subject, `not active at block ${anchorBlock.toString()}`)
  }
  if (!history.vmmAuthorised(vmmHash, anchorBlock, content.blockTimestamp)) {
    bits.push('VMM_UNKNOWN')
    findings.add('VMM_NOT_AUTHORISED', subject, `${vmmHash} at block ${anchorBlock.toString()}`)
  }
  findings.same(
    'VERDICT_DIFFERS',
    subject,
    'verdict',
    verdictText(verdictByte(bits)),
    verdictText(fromHex(verdicts)[0]),
  )
  log.anchored.push({ firstSeq, count })
}

/** @returns the uses that the policy must have counted, in order */
function judgeRecords(
  { event, content, history, log, requests, maxPolicyAgeS }: BatchSetting,
  records: readonly OperationRecord[],
  findings: FindingLog,
  shared: readonly Verdict[],
): readonly string[] {
  const { hostId, firstSeq } = event.args
  const verdicts = fromHex(event.args.verdicts)
  const claimed = new Map<Hex, bigint>()
  const { anchorBlock } = content.header
  const provenVmmHash = content.quote?.vmmHash ?? event.args.vmmHash
  const isProvenAuthorised = history.vmmAuthorised(provenVmmHash, anchorBlock, content.blockTimestamp)
  const usesOf = (grantId: Hex): bigint => history.usesOf(grantId) + (claimed.get(grantId) ?? 0n)
  const judged = records.map((record) => {
    const setting: RecordSetting = {
      history,
      // As it is now: what later records claim is added to it below.
      usesOf: frozen(history, claimed),
      blockNumber: event.blockNumber,
      anchorBlock,
      blockTimestamp: content.blockTimestamp,
      policyTimestamp: content.policyTimestamps.get(record.policyBlock),
      provenVmmHash,
      isProvenAuthorised,
      shared,
      maxPolicyAgeS,
    }
    const { bits, isUse } = verdictsOfRecord(record, setting)
    for (const { grantId } of isUse ? history.chainOf(record.grantId) : []) {
      claimed.set(grantId, usesOf(grantId) - history.usesOf(grantId) + 1n)
    }
    return { record, setting, bits, isUse }
  })
  const { overused, counted } = countUses(history, content.contextOf, judged)
  judged.forEach(({ record, setting, bits }, i) => {
    const about = { kind: 'record', hostId, seq: firstSeq + BigInt(i) } as const
    const all: readonly Verdict[] = overused.has(i) ? [...bits, 'GRANT_OVERUSED'] : bits
    const { verdict, findings: found } = judgeRecord(record, setting, all)
    for (const { code, detail } of found) findings.add(code, about, detail)
    findings.same('VERDICT_DIFFERS', about, 'verdict', verdictText(verdict), verdictText(verdicts[i]))
    const before = requests.get(record.requestHash)
    if (before === undefined) requests.set(record.requestHash, `${hostId}/${about.seq.toString()}`)
    else findings.add('REQUEST_REPEATED', about, `request ${record.requestHash} is on record at ${before} already`)
    log.records.set(about.seq, { record, batch: firstSeq, blockNumber: event.blockNumber })
  })
  return counted
}

function frozen(history: LedgerHistory, claimed: ReadonlyMap<Hex, bigint>): (grantId: Hex) => bigint {
  const now = new Map(claimed)
  return (grantId) => history.usesOf(grantId) + (now.get(grantId) ?? 0n)
}

/**
 * Counts uses as the contracts do: context by context, in the order of the calldata; where fewer are left than a context claims,
 * its last records go without (docs/formats.md, "Verdict bits").
 */
function countUses(
  history: LedgerHistory,
  contextOf: readonly number[],
  judged: readonly { readonly record: OperationRecord; readonly isUse: boolean }[],
): { readonly overused: ReadonlySet<number>; readonly counted: readonly string[] } {
  const claims = new Map<number, number[]>()
  judged.forEach(({ isUse }, i) => {
    const context = contextOf[i] ?? 0
    if (isUse) claims.set(context, [...(claims.get(context) ?? []), i])
  })
  const uses = new Map<Hex, bigint>()
  const overused = new Set<number>()
  const counted: string[] = []
  for (const [, claimants] of [...claims].sort(([a], [b]) => a - b)) {
    const chain = history.chainOf(judged[claimants[0] ?? 0]?.record.grantId ?? '0x')
    const usesOf = (grantId: Hex): bigint => uses.get(grantId) ?? history.usesOf(grantId)
    const left = chain.map(({ grantId, grant }) => grant.maxUses - usesOf(grantId))
    const within = left.reduce((least, one) => (one < least ? one : least), BigInt(claimants.length))
    for (const i of claimants.slice(Number(within))) overused.add(i)
    if (within === 0n) continue
    for (const { grantId } of chain) {
      uses.set(grantId, usesOf(grantId) + within)
      counted.push(`${grantId} ${usesOf(grantId).toString()}`)
    }
  }
  return { overused, counted }
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
    ['mode', records === undefined ? 'Anchored' : 'Records', BATCH_MODES[args.mode]],
    ['number of verdicts', records?.length ?? 1, fromHex(args.verdicts).length],
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
  if (quote !== undefined && log.clock !== undefined && compareClock(asKept(quote.clock), asKept(log.clock)) <= 0) {
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

/** The AuditLog keeps 48 bits of a TPM's milliseconds: a clock beyond them, which no honest TPM comes to, counts as their highest. */
const MAX_CLOCK_MS = 2n ** 48n - 1n

function asKept(read: TpmClock): TpmClock {
  return read.clock > MAX_CLOCK_MS ? { ...read, clock: MAX_CLOCK_MS } : read
}

function verdictText(byte: number | undefined): string {
  if (byte === undefined) return 'none'
  return byte === 0 ? '0' : `${toHex(Uint8Array.of(byte))} ${verdictsOf(byte).join('|')}`
}

function clockText({ resetCount, restartCount, clock }: TpmClock): string {
  return `(${resetCount}, ${restartCount}, ${clock.toString()})`
}
