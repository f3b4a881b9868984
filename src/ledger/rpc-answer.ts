import type { Hex } from '../core/bytes.ts'
import { LedgerError } from './error.ts'

// Strict readers for what an RPC node answers (Ethereum JSON-RPC, "execution-apis"). Everything is untrusted. All throw
// LedgerError RPC_INVALID.

/** A block, as far as the ledger's clients need it. */
export interface Block {
  readonly number: bigint
  readonly hash: Hex
  /** Seconds since the epoch, as the block's proposer saw it. */
  readonly timestamp: bigint
}

/** What `eth_getLogs` and receipts hold. */
export interface RawLog {
  readonly address: Hex
  readonly topics: readonly Hex[]
  readonly data: Hex
  readonly blockNumber: bigint
  readonly transactionHash: Hex
  readonly logIndex: number
}

/** How a transaction ended. */
export interface RawReceipt {
  readonly blockNumber: bigint
  readonly ok: boolean
  readonly contractAddress: Hex | undefined
  readonly logs: readonly RawLog[]
}

const U64 = 2n ** 64n - 1n
const MAX_BYTES = 8_388_608
const MAX_LOGS = 1_000_000

/** An object with whatever members. */
export function answerObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw invalid(what, 'an object')
}

/** An array of at most a million. */
export function answerArray(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value) && value.length <= MAX_LOGS) return value
  throw invalid(what, `an array of at most ${MAX_LOGS}`)
}

/** A number in JSON-RPC's hexadecimal, at most `max` (64 bits where nothing else is said). */
export function answerQuantity(value: unknown, what: string, max = U64): bigint {
  if (typeof value === 'string' && /^0x[0-9a-f]{1,64}$/i.test(value)) {
    const number = BigInt(value)
    if (number <= max) return number
  }
  throw invalid(what, `a number up to ${max}`)
}

/** Bytes, of a length where one is given; in lower case. */
export function answerBytes(value: unknown, what: string, length?: number): Hex {
  if (typeof value === 'string' && value.length <= 2 + 2 * MAX_BYTES && /^0x(?:[0-9a-f]{2})*$/i.test(value)) {
    if (length === undefined || value.length === 2 + 2 * length) return value.toLowerCase() as Hex
  }
  throw invalid(what, length === undefined ? 'bytes' : `${length} bytes`)
}

/** A block; undefined where the node has none. */
export function answerBlock(value: unknown): Block | undefined {
  if (value === null) return undefined
  const block = answerObject(value, 'block')
  return {
    number: answerQuantity(block['number'], 'block.number'),
    hash: answerBytes(block['hash'], 'block.hash', 32),
    timestamp: answerQuantity(block['timestamp'], 'block.timestamp'),
  }
}

/** A log that stands in a block. */
export function answerLog(value: unknown): RawLog {
  const log = answerObject(value, 'log')
  if (log['removed'] === true) throw invalid('log', 'one that was not removed')
  const topics = answerArray(log['topics'], 'log.topics')
  if (topics.length > 4) throw invalid('log.topics', 'at most 4')
  return {
    address: answerBytes(log['address'], 'log.address', 20),
    topics: topics.map((topic) => answerBytes(topic, 'log.topics', 32)),
    data: answerBytes(log['data'], 'log.data'),
    blockNumber: answerQuantity(log['blockNumber'], 'log.blockNumber'),
    transactionHash: answerBytes(log['transactionHash'], 'log.transactionHash', 32),
    logIndex: Number(answerQuantity(log['logIndex'], 'log.logIndex', 0xffff_ffffn)),
  }
}

/** The receipt of a transaction; undefined where there is none (yet). */
export function answerReceipt(value: unknown, transactionHash: Hex): RawReceipt | undefined {
  if (value === null) return undefined
  const receipt = answerObject(value, 'receipt')
  if (answerBytes(receipt['transactionHash'], 'receipt.transactionHash', 32) !== transactionHash) {
    throw invalid('receipt.transactionHash', transactionHash)
  }
  const { contractAddress } = receipt
  const logs = answerArray(receipt['logs'], 'receipt.logs').map(answerLog)
  if (logs.some((log) => log.transactionHash !== transactionHash)) throw invalid('receipt.logs', 'its own')
  return {
    blockNumber: answerQuantity(receipt['blockNumber'], 'receipt.blockNumber'),
    ok: answerQuantity(receipt['status'], 'receipt.status', 1n) === 1n,
    contractAddress:
      contractAddress === null || contractAddress === undefined
        ? undefined
        : answerBytes(contractAddress, 'receipt.contractAddress', 20),
    logs,
  }
}

/** The error for an answer that is not what was asked for. */
export function invalid(what: string, expected: string): LedgerError {
  return new LedgerError('RPC_INVALID', `${what}: expected ${expected}, found something else`)
}
