import type { Hex } from '../core/bytes.ts'
import { CodedError } from '../core/error.ts'
import type { Reason } from '../record/reason.ts'
import type { Receipt } from '../record/receipt.ts'
import type { Step } from './trace.ts'

/**
 * Why a customer gets no result. Those with a `Reason`'s name are on record; of the others:
 *
 * - `REQUEST_MALFORMED`, `REQUEST_SIGNATURE_INVALID`, `REQUEST_OTHER_HOST`, `REQUEST_EXPIRED`, `REQUEST_INPUT_MISMATCH`,
 *   `REQUEST_OPERATION_UNKNOWN`, `INPUT_TOO_LARGE`: the request itself cannot be accepted; nothing is on record
 * - `REQUEST_REPLAYED`: it was accepted before, and is on record once
 * - `DEVICE_UNAVAILABLE`, `LEDGER_UNAVAILABLE`, `LEDGER_STALE`, `JOURNAL_UNAVAILABLE`, `AGENT_BUSY`, `AGENT_STOPPING`: not
 *   now; nothing is on record, and the same request may come again
 * - `RELEASE_PENDING`: it is on record, but not yet as far as its answer must wait for; the result is not given out
 * - `RESULT_LOST`: it is on record as done, but the result was lost with the device that held it
 */
export type RefusalCode =
  | Exclude<Reason, 'DONE'>
  | 'REQUEST_MALFORMED'
  | 'REQUEST_SIGNATURE_INVALID'
  | 'REQUEST_OTHER_HOST'
  | 'REQUEST_EXPIRED'
  | 'REQUEST_REPLAYED'
  | 'REQUEST_INPUT_MISMATCH'
  | 'REQUEST_OPERATION_UNKNOWN'
  | 'INPUT_TOO_LARGE'
  | 'DEVICE_UNAVAILABLE'
  | 'LEDGER_UNAVAILABLE'
  | 'LEDGER_STALE'
  | 'JOURNAL_UNAVAILABLE'
  | 'AGENT_BUSY'
  | 'AGENT_STOPPING'
  | 'RELEASE_PENDING'
  | 'RESULT_LOST'

/** The transaction that a record is in. */
export interface LedgerTransaction {
  readonly hash: Hex
  /** Null until it is mined. */
  readonly blockNumber: bigint | null
}

/** What stands beside a refusal. */
export interface RefusalDetail {
  readonly receipt?: Receipt
  readonly transaction?: LedgerTransaction | null
  readonly steps?: readonly Step[]
}

/** An operation's end without a result. */
export class Refusal extends CodedError<RefusalCode> {
  readonly detail: RefusalDetail

  constructor(code: RefusalCode, message: string, options: ErrorOptions & RefusalDetail = {}) {
    super(code, message, options)
    const { receipt, transaction, steps } = options
    this.detail = {
      ...(receipt === undefined ? {} : { receipt }),
      ...(transaction === undefined ? {} : { transaction }),
      ...(steps === undefined ? {} : { steps }),
    }
  }
}
