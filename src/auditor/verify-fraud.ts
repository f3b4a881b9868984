import type { Hex } from '../core/bytes.ts'
import type { FraudProven } from '../ledger/event.ts'
import { hashHeader, type BatchHeader } from '../record/batch.ts'
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

/**
 * A proof of fraud is a finding against its host; and where it does not hold, against the ledger that took it. That an omitted
 * record was missing at that block, and that a header is a batch's, the history says.
 *
 * @param addresses every ledger address that ever spoke for the host
 */
export async function verifyFraud(
  context: AuditContext,
  findings: FindingLog,
  event: FraudProven,
  addresses: readonly Hex[],
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
    const [digestA, digestB] = verifyContent(call, groups, seq, digests)
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
): readonly [Hex, Hex] {
  if (name === 'proveOmission') return [digest, ZERO_HASH]
  if (name === 'proveEquivocation') {
    const leaves = [args['inA'] as LeafProof, args['inB'] as LeafProof]
    requireDifferent(groups.map(({ group }, i) => leafAt(group.groupRoot, group, seq, leaves[i])))
    return digest < other ? [digest, other] : [other, digest]
  }
  const header = args['header'] as BatchHeader
  requireDifferent([
    ...groups.map(({ group }) => leafAt(group.groupRoot, group, seq, args['inReceipt'] as LeafProof)),
    leafAt(header.root, header, seq, args['inBatch'] as LeafProof),
  ])
  return [digest, hashHeader(header)]
}

function leafAt(root: Hex, at: Pick<ReceiptGroup, 'firstSeq' | 'count'>, seq: bigint, proof?: LeafProof): Hex {
  const { leaf = '0x', path = [] } = proof ?? {}
  if (rootFromPath(leaf, Number(seq - at.firstSeq), at.count, path) === root) return leaf
  throw new RangeError(`no proof of record ${seq.toString()}`)
}

function requireDifferent([a, b]: readonly Hex[]): void {
  if (a === b) throw new RangeError('the two leaves are the same')
}
