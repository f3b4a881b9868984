import assert from 'node:assert/strict'
import type { AuditContext } from '../../src/auditor/audit-context.ts'
import { FindingLog } from '../../src/auditor/finding-log.ts'
import type { LedgerHistory } from '../../src/auditor/state.ts'
import { verifyFraud, type HostPast } from '../../src/auditor/verify-fraud.ts'
import { fromHex, type Hex } from '../../src/core/bytes.ts'
import { AUDIT_LOG } from '../../src/ledger/abi.ts'
import type { BatchCommitted, FraudProven, LedgerEvent } from '../../src/ledger/event.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { hashHeader } from '../../src/record/batch.ts'
import { FRAUDS, fraudProofHash } from '../../src/record/fraud.ts'
import { ZERO_HASH, keccak256 } from '../../src/record/hash.ts'
import { receiptGroupDigest } from '../../src/record/receipt.ts'
import { altered } from '../auditor/lying.ts'
import type { ProofCall } from './fraud-draw.ts'

/** What the contract calls each of the auditor's reasons why a proof does not hold. */
const REASONS: readonly (readonly [words: RegExp, errors: readonly string[]])[] = [
  [/a receipt of host/, ['OtherHost']],
  [/a receipt by/, ['ReceiptSignatureInvalid']],
  [/no proof of record/, ['SeqOutside', 'LeafNotInGroup', 'LeafNotInBatch']],
  [/two leaves are the same/, ['NoContradiction']],
  [/had time until/, ['DeadlineAhead']],
  [/the log had all records/, ['NothingOmitted']],
  [/no batch of the host/, ['BatchNotInLog']],
]

/** What a ledger that took a proof would say of it: the event that AuditLog emits. */
export function eventOf(ledger: Ledger, { name, seq, groups, header }: ProofCall, blockNumber: bigint): FraudProven {
  const domain = ledger.domain('auditLog')
  const digests = groups.map((group) => receiptGroupDigest(domain, group)).sort()
  const fraud = FRAUDS.find((one) => `prove${one}` === name) ?? 'None'
  const hostId = groups[0]?.hostId ?? ZERO_HASH
  const digestB = header === undefined ? (digests[1] ?? ZERO_HASH) : hashHeader(header)
  const proofHash = fraudProofHash({ fraud, hostId, seq, digestA: digests[0] ?? ZERO_HASH, digestB })
  const args = { hostId, fraud: FRAUDS.indexOf(fraud), seq, proofHash, by: `0x${'01'.repeat(20)}` as const }
  const transactionHash = keccak256(fromHex(proofHash))
  return { contract: 'auditLog', name: 'FraudProven', args, blockNumber, transactionHash, logIndex: 0 }
}

/**
 * Asks the auditor of a proof, as though the ledger had taken it.
 *
 * @param events all that the ledger really emitted
 * @param history what they add up to
 * @returns why it does not hold, as the errors of the contract that may say the same; none where it does
 */
export async function auditorErrors(
  ledger: Ledger,
  events: readonly LedgerEvent[],
  history: LedgerHistory,
  call: ProofCall,
  told: FraudProven,
): Promise<readonly string[]> {
  const input = AUDIT_LOG.encodeFunctionData(call.name, call.args) as Hex
  const { address: to } = ledger.deployment.contracts.auditLog
  const from = told.args.by
  const { blockNumber } = told
  const took = altered(ledger, { transaction: () => Promise.resolve({ from, to, input, blockNumber }) })
  const findings = new FindingLog()
  await verifyFraud({ ledger: took } as AuditContext, findings, told, pastOf(events, history, told.args.hostId))
  assert.equal(findings.findings[0]?.code, 'FRAUD_PROVEN')
  const unfounded = findings.findings.slice(1)
  assert.ok(unfounded.every(({ code }) => code === 'FRAUD_UNFOUNDED'))
  const [reason] = unfounded
  if (reason === undefined) return []
  const errors = REASONS.find(([words]) => words.test(reason.detail))?.[1]
  assert.ok(errors !== undefined, `the table has no reason ${reason.detail}`)
  // Of two hosts in one call the contract says just that; the auditor looks for whoever signed among the speakers of the one in the event.
  const hosts = new Set(
    [...call.groups, ...(call.header === undefined ? [] : [call.header])].map(({ hostId }) => hostId),
  )
  return hosts.size > 1 && errors.includes('ReceiptSignatureInvalid') ? ['OtherHost'] : errors
}

function pastOf(events: readonly LedgerEvent[], history: LedgerHistory, hostId: Hex): HostPast {
  const isBatch = (event: LedgerEvent): event is BatchCommitted =>
    event.name === 'BatchCommitted' && event.args.hostId === hostId
  return { addresses: history.hosts.get(hostId)?.addresses ?? [], batches: events.filter(isBatch) }
}
