import type { OpenHost } from '../../hil/contracts/host.ts'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { batchLeaf, type BatchHeader } from '../../src/record/batch.ts'
import type { Domain } from '../../src/record/eip712.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { pathToPeak } from '../../src/record/mountain-range.ts'
import { receiptGroupDigest, type ReceiptGroup } from '../../src/record/receipt.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { inclusionPath, rootOf, type InclusionPath } from '../../src/record/tree.ts'
import type { Draw } from './draw.ts'

/** A batch that was committed, with what it is made of. */
export interface Logged {
  readonly header: BatchHeader
  readonly records: readonly OperationRecord[]
}

/** What receipts and proofs of fraud are drawn from. */
export interface FraudSetting {
  readonly host: OpenHost
  readonly otherHost: Hex
  /** Who never spoke for the host, and who did before. */
  readonly stranger: DigestSigner
  readonly former: DigestSigner
  readonly domain: Domain
  /** All headers of the host's log, in order, and those of its batches whose records are known. */
  readonly headers: readonly BatchHeader[]
  readonly logged: readonly Logged[]
  /** Records that could come next: they are not in the log. */
  readonly ahead: readonly OperationRecord[]
  readonly latestBlock: bigint
}

export interface SignedGroup {
  readonly group: ReceiptGroup
  readonly signature: Hex
}

export interface LeafProof {
  readonly leaf: Hex
  readonly path: InclusionPath
}

/** A promise of one record among others, as it was signed. */
export interface Promised {
  readonly record: OperationRecord
  readonly signed: SignedGroup
  readonly path: InclusionPath
}

/** The call of one of AuditLog's three proofs. */
export interface ProofCall {
  readonly name: 'proveOmission' | 'proveEquivocation' | 'proveContradiction'
  readonly args: readonly unknown[]
  readonly seq: bigint
  readonly groups: readonly ReceiptGroup[]
  /** Of a contradiction. */
  readonly header?: BatchHeader
  /** Its batch is shown at another place of the log, or by another path: the auditor, who has the whole log, needs neither. */
  readonly isMisplaced?: true
}

/** A run of records that were promised together, and the place in it of the one that matters. */
type Run = readonly [records: readonly OperationRecord[], index: number]

/** A receipt, with at most one thing wrong in it; what it promises is in the log, differs from it, or is not there. */
export async function drawPromise(draw: Draw, setting: FraudSetting, run = drawRun(draw, setting)): Promise<Promised> {
  const [records, index] = run
  const leaves = records.map(leafOf)
  const record = at(records, index)
  const { latestBlock } = setting
  const group: ReceiptGroup = {
    hostId: record.hostId,
    groupRoot: rootOf(leaves),
    firstSeq: at(records, 0).seq,
    count: records.length,
    includeBy: draw.pick([0n, latestBlock - 1n, latestBlock, latestBlock + 1n, 2n ** 64n - 1n]),
  }
  const path = inclusionPath(leaves, index)
  switch (draw.pick(['', '', '', 'path', 'group', 'group', 'forged', 'signature', 'stranger', 'former'])) {
    case 'path':
      return { record, signed: await sign(setting, group), path: otherPath(draw, path) }
    case 'group':
      return { record, signed: await sign(setting, { ...group, ...otherGroup(draw, setting, group) }), path }
    case 'forged': {
      const { signature } = await sign(setting, group)
      return { record, signed: { group: { ...group, ...otherGroup(draw, setting, group) }, signature }, path }
    }
    case 'signature': {
      const { signature } = await sign(setting, group)
      return { record, signed: { group, signature: otherSignature(draw, signature) }, path }
    }
    case 'stranger':
      return { record, signed: await sign(setting, group, setting.stranger), path }
    case 'former':
      return { record, signed: await sign(setting, group, setting.former), path }
    default:
      return { record, signed: await sign(setting, group), path }
  }
}

/** A proof of any kind, with at most one thing wrong in it. */
export async function drawProof(draw: Draw, setting: FraudSetting): Promise<ProofCall> {
  const kind = draw.pick(['proveOmission', 'proveEquivocation', 'proveContradiction'] as const)
  if (kind === 'proveOmission') return omission(await drawPromise(draw, setting), setting)
  return kind === 'proveEquivocation' ? drawEquivocation(draw, setting) : drawContradiction(draw, setting)
}

/** That what a receipt promised is not in the log. @returns with the record that the log would name */
export function omission({ signed: { group, signature } }: Promised, { headers }: FraudSetting): ProofCall {
  const last = headers.at(-1)
  const next = last === undefined ? 0n : last.firstSeq + BigInt(last.count)
  const seq = next > group.firstSeq ? next : group.firstSeq
  return { name: 'proveOmission', args: [group, signature], seq, groups: [group] }
}

/** That a receipt contradicts the batch that has its record's number. */
export function contradiction({ record, signed, path }: Promised, batch: Logged, { headers }: FraudSetting): ProofCall {
  const { header, records } = batch
  const index = headers.findIndex(({ firstSeq }) => firstSeq === header.firstSeq)
  const leaves = records.map(leafOf)
  const place = Number(record.seq - header.firstSeq)
  const inBatch: LeafProof = { leaf: at(leaves, place), path: inclusionPath(leaves, place) }
  const inReceipt: LeafProof = { leaf: leafOf(record), path }
  const batchPath = pathToPeak(headers.map(batchLeaf), index)
  const args = [signed, record.seq, inReceipt, header, index, batchPath, inBatch]
  return { name: 'proveContradiction', args, seq: record.seq, groups: [signed.group], header }
}

async function drawContradiction(draw: Draw, setting: FraudSetting): Promise<ProofCall> {
  const batch = draw.pick(setting.logged)
  if (draw.chance(60)) return contradiction(await drawPromise(draw, setting, runOf(draw, batch)), batch, setting)
  const sound = await soundPromise(setting, runOf(draw, batch))
  const proof = contradiction(sound, batch, setting)
  const [signed, seq, , header, index, batchPath, inBatch] = proof.args as [
    SignedGroup,
    bigint,
    LeafProof,
    BatchHeader,
    number,
    InclusionPath,
    LeafProof,
  ]
  const with_ = (changed: Partial<Record<number, unknown>>): readonly unknown[] =>
    proof.args.map((arg, i) => (i in changed ? changed[i] : arg))
  switch (draw.below(6)) {
    case 0: {
      const other = { ...header, nvCounter: header.nvCounter + 1n }
      return { ...proof, args: with_({ 3: other }), header: other }
    }
    case 1:
      return { ...proof, args: with_({ 5: [...batchPath, ZERO_HASH] }), isMisplaced: true }
    case 2:
      return { ...proof, args: with_({ 4: index + 1 }), isMisplaced: true }
    case 3:
      return { ...proof, args: with_({ 6: { ...inBatch, leaf: ZERO_HASH } }) }
    case 4:
      return { ...proof, args: with_({ 6: { ...inBatch, path: otherPath(draw, inBatch.path) } }) }
    default: {
      const outside = before(signed.group, seq)
      return { ...proof, args: with_({ 1: outside }), seq: outside }
    }
  }
}

/** A number that is not the group's: the one before its first. */
function before({ firstSeq }: ReceiptGroup, seq: bigint): bigint {
  return firstSeq === 0n ? seq : firstSeq - 1n
}

async function drawEquivocation(draw: Draw, setting: FraudSetting): Promise<ProofCall> {
  const batch = draw.pick(setting.logged)
  const index = draw.below(batch.records.length)
  const run = (): Run => runOf(draw, batch, index)
  const b = await soundPromise(setting, run())
  const { seq } = b.record
  const proof = (one: Promised, other: SignedGroup, number = seq): ProofCall => {
    const proofs = [one, b].map(({ record, path }): LeafProof => ({ leaf: leafOf(record), path }))
    const args = [one.signed, other, number, ...proofs]
    return { name: 'proveEquivocation', args, seq: number, groups: [one.signed.group, other.group] }
  }
  if (draw.chance(50)) return proof(await drawPromise(draw, setting, run()), b.signed)
  const a = await soundPromise(setting, run())
  if (draw.chance(15)) return proof(a, { ...b.signed, group: { ...b.signed.group, hostId: setting.otherHost } })
  return draw.chance(15) ? proof(a, b.signed, before(a.signed.group, seq)) : proof(a, b.signed)
}

/** Records around one of a batch, or of those that may come next; often one of them, and so their root, is another than the log's. */
function drawRun(draw: Draw, { logged, ahead }: FraudSetting): Run {
  if (draw.chance(60)) return runOf(draw, draw.pick(logged))
  const count = 1 + draw.below(ahead.length)
  return [ahead.slice(0, count), draw.below(count)]
}

function runOf(draw: Draw, { records }: Logged, index = draw.below(records.length)): Run {
  const from = draw.below(index + 1)
  const some = records.slice(from, index + 1 + draw.below(records.length - index))
  const place = index - from
  if (draw.chance(50)) return [some, place]
  const altered = { ...at(some, place), ...draw.pick<Partial<OperationRecord>>(OTHERWISE) }
  return [some.map((record, i) => (i === place ? altered : record)), place]
}

const OTHERWISE = [{ status: 34 }, { resultHash: ZERO_HASH }, { timestamp: 7n }, { policyBlock: 1n }] as const

async function soundPromise(setting: FraudSetting, [records, index]: Run): Promise<Promised> {
  const leaves = records.map(leafOf)
  const record = at(records, index)
  const { hostId } = record
  const group = {
    hostId,
    groupRoot: rootOf(leaves),
    firstSeq: at(records, 0).seq,
    count: records.length,
    includeBy: 0n,
  }
  return { record, signed: await sign(setting, group), path: inclusionPath(leaves, index) }
}

async function sign({ domain, host }: FraudSetting, group: ReceiptGroup, by = host.speaker): Promise<SignedGroup> {
  return { group, signature: await by.signDigest(fromHex(receiptGroupDigest(domain, group))) }
}

/** Another value of one member. */
function otherGroup(draw: Draw, { otherHost }: FraudSetting, { firstSeq, count }: ReceiptGroup): Partial<ReceiptGroup> {
  return draw.pick<Partial<ReceiptGroup>>([
    { hostId: otherHost },
    { groupRoot: toHex(draw.bytes(32)) },
    { firstSeq: firstSeq + 1n },
    { firstSeq: firstSeq === 0n ? 1n : firstSeq - 1n },
    { count: count + 1 },
    { count: count - 1 },
    { count: 2 ** 32 - 1 },
  ])
}

function otherPath(draw: Draw, path: InclusionPath): InclusionPath {
  const which = draw.below(3)
  if (which === 0) return [...path, ZERO_HASH]
  return which === 1 ? path.slice(1) : path.map((node, i) => (i === 0 ? toHex(draw.bytes(32)) : node))
}

function otherSignature(draw: Draw, signature: Hex): Hex {
  const bytes = fromHex(signature)
  return draw.pick<Hex>([
    toHex(bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte))),
    toHex(bytes.map((byte, i) => (i === 64 ? 55 - byte : byte))),
    toHex(bytes.map((byte, i) => (i === 64 ? byte - 27 : byte))),
    toHex(bytes.slice(0, 64)),
    `${signature}00`,
  ])
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index]
  if (item === undefined) throw new RangeError(`expected an index below ${list.length}, found ${index}`)
  return item
}
