import type { Hex } from '../core/bytes.ts'
import type { BatchCommitted, FraudProven } from '../ledger/event.ts'
import { hashHeader, headAfter, type BatchHeader } from '../record/batch.ts'
import { signerOf } from '../record/eip712.ts'
import { FRAUDS, fraudProofHash } from '../record/fraud.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { receiptGroupDigest, type ReceiptGroup } from '../record/receipt.ts'
import { rootFromPath, type InclusionPath } from '../record/tree.ts'
import type { AuditContext } from './audit-context.ts'
import { callOf, type EventCall } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'

interface SignedGroup {
  readonly group: ReceiptGroup
  readonly signature: Hex
}

interface LeafProof {
  readonly leaf: Hex
  readonly path: InclusionPath
}

/** What of a host's history its frauds are held against. */
export interface HostPast {
  /** Every ledger address that ever spoke for it. */
  readonly addresses: readonly Hex[]
  /** Its batches before the proof, oldest first. */
  readonly batches: readonly BatchCommitted[]
}

/** A proof of fraud is a finding against its host; and where it does not hold, against the ledger that took it. */
export async function verifyFraud(
  context: AuditContext,
  findings: FindingLog,
  event: FraudProven,
  { addresses, batches }: HostPast,
): Promise<void> {
  const { hostId, fraud: number, seq, proofHash } = event.args
  const fraud = FRAUDS[number] ?? 'None'
  const subject: Subject = { kind: 'host', hostId }
  findings.add('FRAUD_PROVEN', subject, `${fraud} at record ${seq.toString()}, proof ${proofHash}`)
  const call = await callOf(context, findings, subject, event)
  if (call === undefined || call === 'indirect') return
  await findings.attempt('FRAUD_UNFOUNDED', { kind: 'ledger' }, `proof ${proofHash}`, () => {
    const domain = context.ledger.domain('auditLog')
    const groups = groupsOf(call)
    const digests = groups.map(({ group }) => receiptGroupDigest(domain, group))
    groups.forEach(({ group, signature }, i) => {
      const signer = signerOf(digests[i] ?? '0x', signature)
      if (group.hostId !== hostId) throw new RangeError(`a receipt of host ${group.hostId}`)
      if (signer === undefined || !addresses.includes(signer)) throw new RangeError(`a receipt by ${String(signer)}`)
    })
    if (call.name === 'proveOmission') for (const { group } of groups) requireOmitted(group, event, batches)
    const [digestA, digestB] = verifyContent(call, groups, seq, digests, batches)
    const expected = fraudProofHash({ fraud, hostId, seq, digestA, digestB })
    if (expected !== proofHash) throw new RangeError(`expected the hash ${expected}`)
  })
}

function groupsOf({ name, args }: EventCall): readonly SignedGroup[] {
  switch (name) {
    case 'proveOmission':
      return [args as unknown as SignedGroup]
    case 'proveEquivocation':
      return [args['a'] as SignedGroup, args['b'] as SignedGroup]
    case 'proveContradiction':
      return [args['receipt'] as SignedGroup]
    default:
      throw new RangeError(`${name} proves nothing`)
  }
}

/** @returns the two digests that the proof is known by */
function verifyContent(
  { name, args }: EventCall,
  groups: readonly SignedGroup[],
  seq: bigint,
  [digest = ZERO_HASH, other = ZERO_HASH]: readonly Hex[],
  batches: readonly BatchCommitted[],
): readonly [Hex, Hex] {
  if (name === 'proveOmission') return [digest, ZERO_HASH]
  if (name === 'proveEquivocation') {
    const leaves = [args['inA'] as LeafProof, args['inB'] as LeafProof]
    requireDifferent(groups.map(({ group }, i) => leafAt(group.groupRoot, group, seq, leaves[i])))
    return digest < other ? [digest, other] : [other, digest]
  }
  const header = args['header'] as BatchHeader
  if (!batches.some(({ args }) => args.firstSeq === header.firstSeq && args.head === headAfter(header))) {
    throw new RangeError(`no batch of the host has the header ${hashHeader(header)}`)
  }
  requireDifferent([
    ...groups.map(({ group }) => leafAt(group.groupRoot, group, seq, args['inReceipt'] as LeafProof)),
    leafAt(header.root, header, seq, args['inBatch'] as LeafProof),
  ])
  return [digest, hashHeader(header)]
}

/** The deadline had passed, and the first of the group's records that the log did not have is the one that is named. */
function requireOmitted(
  { firstSeq, count, includeBy }: ReceiptGroup,
  { args: { seq }, blockNumber }: FraudProven,
  batches: readonly BatchCommitted[],
): void {
  if (blockNumber <= includeBy) throw new RangeError(`the host had time until block ${includeBy.toString()}`)
  const last = batches.at(-1)?.args
  const next = last === undefined ? 0n : last.firstSeq + BigInt(last.count)
  const missing = next > firstSeq ? next : firstSeq
  if (missing >= firstSeq + BigInt(count)) throw new RangeError(`the log had all records up to ${next.toString()}`)
  if (seq !== missing) throw new RangeError(`record ${missing.toString()} was the first that was missing`)
}

function leafAt(root: Hex, at: Pick<ReceiptGroup, 'firstSeq' | 'count'>, seq: bigint, proof?: LeafProof): Hex {
  const { leaf = '0x', path = [] } = proof ?? {}
  if (rootFromPath(leaf, Number(seq - at.firstSeq), at.count, path) === root) return leaf
  throw new RangeError(`no proof of record ${seq.toString()}`)
}

function requireDifferent([a, b]: readonly Hex[]): void {
  if (a === b) throw new RangeError('the two leaves are the same')
}
