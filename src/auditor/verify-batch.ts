import type { Hex } from '../core/bytes.ts'
import type { VerifiedQuote } from '../evidence/quote.ts'
import { decodeCommit, quoteOnLedger } from '../ledger/commit.ts'
import type { BatchCommitted } from '../ledger/event.ts'
import { BATCH_MODES } from '../ledger/state.ts'
import { hashHeader, type BatchHeader } from '../record/batch.ts'
import { leafOf, type OperationRecord } from '../record/record.ts'
import { rootOf } from '../record/tree.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { AuditContext } from './audit-context.ts'
import { directCallOf } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { maySpeak, type HostIdentity } from './host-identity.ts'
import { isFresh, verifyLedgerQuote } from './verify-quote.ts'

/** What a batch's transaction holds, as far as it can be judged without the history. */
export interface BatchContent {
  readonly header: BatchHeader
  /** Undefined where the batch is anchored: they are not on the ledger. */
  readonly records: readonly OperationRecord[] | undefined
  /** Of each record, the index of its context: uses are counted context by context. */
  readonly contextOf: readonly number[]
  /** Undefined where the quote does not hold. */
  readonly quote: VerifiedQuote | undefined
  /** Seconds since the epoch: of the batch's block, and of the blocks at which access was checked. */
  readonly blockTimestamp: bigint
  readonly policyTimestamps: ReadonlyMap<bigint, bigint>
}

/** PCRs that anybody who can talk to the TPM may reset (TCG PC Client Platform TPM Profile, section 4.6.2). */
const RESETTABLE_PCRS: readonly number[] = [16, 23]

/**
 * Verifies a batch by itself: sent by the host's ledger key, its root that of its records, under a fresh quote of the host's TPM
 * over its header.
 *
 * @param identity the keys of the host that the event names, undefined where there is none
 * @returns undefined where the records cannot be read; there is a finding then
 */
export async function verifyBatch(
  context: AuditContext,
  findings: FindingLog,
  event: BatchCommitted,
  identity: HostIdentity | undefined,
): Promise<BatchContent | undefined> {
  const { hostId, firstSeq } = event.args
  const subject: Subject = { kind: 'batch', hostId, firstSeq }
  const name = BATCH_MODES[event.args.mode] === 'Anchored' ? 'anchor' : 'commit'
  const call = await directCallOf(context, findings, subject, event, name)
  if (call === undefined) return undefined
  if (identity !== undefined && !maySpeak(identity, call.from, event.blockNumber)) {
    findings.same('SENDER_WRONG', subject, 'sender', identity.ledgerAddress, call.from)
  }
  const commit = await findings.attempt('CALLDATA_MALFORMED', subject, 'calldata', () => decodeCommit(call.input))
  if (commit === undefined) return undefined
  const { header, records, contextOf } = commit
  if (records !== undefined) verifyContent(findings, subject, header, records)
  const quote = await findings.attempt('BATCH_QUOTE_INVALID', subject, 'quote', () => {
    if (identity === undefined) throw new RangeError(`host ${hostId} is not registered`)
    return verifyLedgerQuote(context, {
      quote: quoteOnLedger(commit.quote),
      akQualifiedName: identity.akQualifiedName,
      purpose: 'commit',
      contract: 'auditLog',
      hostId: header.hostId,
      payloadHash: hashHeader(header),
      anchorBlock: header.anchorBlock,
    })
  })
  if (!isFresh(header.anchorBlock, event.blockNumber)) {
    const blocks = `anchor ${header.anchorBlock.toString()}, block ${event.blockNumber.toString()}`
    findings.add('ANCHOR_STALE', subject, blocks)
  }
  if (quote !== undefined) verifySelection(findings, subject, quote.selections)
  const times = await findings.attempt('LEDGER_UNREADABLE', subject, 'blocks', () =>
    readTimestamps(context, event.blockNumber, records ?? []),
  )
  return times === undefined ? undefined : { header, records, contextOf, quote, ...times }
}

/** A selection as text: `sha256:0,2,4`. */
export function selectionText(selections: readonly PcrSelection[]): string {
  return selections.map(({ bank, pcrs }) => `${bank}:${pcrs.join(',')}`).join('+')
}

function verifyContent(
  findings: FindingLog,
  subject: Subject,
  header: BatchHeader,
  records: readonly OperationRecord[],
): void {
  findings.same('ROOT_DIFFERS', subject, 'count', header.count, records.length)
  const root: Hex | 'none' = records.length === 0 ? 'none' : rootOf(records.map(leafOf))
  findings.same('ROOT_DIFFERS', subject, 'root', root, header.root)
}

function verifySelection(findings: FindingLog, subject: Subject, selections: readonly PcrSelection[]): void {
  const pcrs = selections.flatMap((selection) => selection.pcrs)
  if (pcrs.length > 0 && !pcrs.some((pcr) => RESETTABLE_PCRS.includes(pcr))) return
  const found = selectionText(selections)
  findings.add('PCR_SELECTION_UNFIT', subject, `expected PCRs without ${RESETTABLE_PCRS.join(', ')}, found ${found}`)
}

async function readTimestamps(
  context: AuditContext,
  blockNumber: bigint,
  records: readonly OperationRecord[],
): Promise<Pick<BatchContent, 'blockTimestamp' | 'policyTimestamps'>> {
  // A block that lies in the future is a finding of its own, and there may be none to ask for.
  const asked = new Set(
    records.map(({ policyBlock }) => policyBlock).filter((policyBlock) => policyBlock < blockNumber),
  )
  const policyTimestamps = new Map<bigint, bigint>()
  for (const policyBlock of asked) policyTimestamps.set(policyBlock, (await context.blockAt(policyBlock)).timestamp)
  return { blockTimestamp: (await context.blockAt(blockNumber)).timestamp, policyTimestamps }
}
