import type { Hex } from '../core/bytes.ts'
import type { BatchHeader } from './batch.ts'
import type { OperationRecord } from './record.ts'

/** What several records of one batch have in common; travels once (docs/formats.md, "Batch on the ledger"). */
export interface RecordContext {
  readonly vmmHash: Hex
  readonly operationId: Hex
  readonly requester: Hex
  readonly dataId: Hex
  readonly grantId: Hex
  readonly policyBlock: bigint
}

/** What is a record's own. */
export interface RecordBody {
  /** Index into the batch's contexts. */
  readonly context: number
  readonly status: number
  /** Seconds since the epoch. */
  readonly timestamp: bigint
  readonly requestHash: Hex
  readonly dataHash: Hex
  readonly resultHash: Hex
}

/** Splits a batch's records into contexts, in the order of their first appearance, and bodies. */
export function splitRecords(records: readonly OperationRecord[]): {
  readonly contexts: readonly RecordContext[]
  readonly bodies: readonly RecordBody[]
} {
  const indexes = new Map<string, number>()
  const contexts: RecordContext[] = []
  const bodies = records.map((record): RecordBody => {
    const context = contextOf(record)
    const key = Object.values(context).join()
    const index = indexes.get(key) ?? contexts.push(context) - 1
    indexes.set(key, index)
    const { status, timestamp, requestHash, dataHash, resultHash } = record
    return { context: index, status, timestamp, requestHash, dataHash, resultHash }
  })
  return { contexts, bodies }
}

/**
 * Joins what was split: the header gives the host and the first place.
 *
 * @param bodies untrusted, as are the contexts
 * @throws RangeError where a body names a context that is not there
 */
export function joinRecords(
  header: Pick<BatchHeader, 'hostId' | 'firstSeq'>,
  contexts: readonly RecordContext[],
  bodies: readonly RecordBody[],
): readonly OperationRecord[] {
  return bodies.map(({ context: index, ...own }, i) => {
    const context = contexts[index]
    if (context === undefined) throw new RangeError(`record ${i} is of context ${index}, of ${contexts.length}`)
    return { hostId: header.hostId, seq: header.firstSeq + BigInt(i), ...context, ...own }
  })
}

function contextOf({ vmmHash, operationId, requester, dataId, grantId, policyBlock }: RecordContext): RecordContext {
  return { vmmHash, operationId, requester, dataId, grantId, policyBlock }
}
