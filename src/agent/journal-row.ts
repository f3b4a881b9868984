import type { Hex } from '../core/bytes.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { parseOperationRequest } from '../record/parse.ts'
import { REASONS } from '../record/reason.ts'
import type { OperationRecord } from '../record/record.ts'
import type { Batch, BatchState, Intent, Outcome } from './journal-entry.ts'

/** A row as SQLite gives it, its integers as bigints. */
export type Row = Record<string, string | bigint | null>

/** The record of an operation that ended. */
export function recordOf(hostId: Hex, seq: bigint, intent: Intent, outcome: Outcome): OperationRecord {
  if (outcome.status === REASONS.DONE && outcome.resultHash === ZERO_HASH) throw new RangeError('done without a result')
  const { request, requestHash, requester, vmmHash, policyBlock } = intent
  return {
    hostId,
    seq,
    vmmHash,
    operationId: request.operationId,
    requester,
    requestHash,
    dataId: request.dataId,
    grantId: request.grantId,
    policyBlock,
    dataHash: request.inputHash,
    resultHash: outcome.resultHash,
    status: outcome.status,
    timestamp: outcome.timestamp,
  }
}

/** Reads a row of `intents`. */
export function intentOf(row: Row): Intent {
  return {
    requestHash: hexIn(row, 'request_hash'),
    request: parseOperationRequest(JSON.parse(textIn(row, 'request'))),
    signature: hexIn(row, 'signature'),
    requester: hexIn(row, 'requester'),
    vmmHash: hexIn(row, 'vmm_hash'),
    policyBlock: numberIn(row, 'policy_block'),
    timestamp: numberIn(row, 'timestamp'),
  }
}

/** Reads a row of `batches`. */
export function batchOf(hostId: Hex, row: Row): Batch {
  const block = row['block']
  return {
    hash: hexIn(row, 'hash'),
    raw: hexIn(row, 'raw'),
    nonce: numberIn(row, 'nonce'),
    header: {
      hostId,
      firstSeq: numberIn(row, 'first_seq'),
      count: Number(numberIn(row, 'count')),
      root: hexIn(row, 'root'),
      prevHead: hexIn(row, 'prev_head'),
      anchorBlock: numberIn(row, 'anchor_block'),
      nvCounter: numberIn(row, 'nv_counter'),
    },
    state: textIn(row, 'state') as BatchState,
    ...(typeof block === 'bigint' ? { blockNumber: block } : {}),
  }
}

/** A text column. The tables are strict: it holds what was put there. */
export function textIn(row: Row, column: string): string {
  return row[column] as string
}

/** A column of whole numbers. */
export function numberIn(row: Row, column: string): bigint {
  return row[column] as bigint
}

function hexIn(row: Row, column: string): Hex {
  return row[column] as Hex
}
