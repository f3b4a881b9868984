import type { SecureRegion } from '../hsm/hsm.ts'
import { REASON_WORDS, reasonOf } from '../record/reason.ts'
import type { Receipt } from '../record/receipt.ts'
import type { OperationRecord } from '../record/record.ts'
import type { Admitted } from './admission.ts'
import type { Batcher } from './batcher.ts'
import type { Release } from './config.ts'
import { errorFields, type Log } from './log.ts'
import type { ReceiptSigner } from './receipt-signer.ts'
import { Refusal, type LedgerTransaction } from './refusal.ts'
import type { Step, Trace } from './trace.ts'

/** What answers are made with once there is a record. */
export interface DeliveryParts {
  readonly receipts: ReceiptSigner
  readonly batcher: Batcher
  readonly log: Log
  readonly releaseTimeoutMs: number
}

/** What a customer gets. The result may be plaintext: whoever takes it wipes it. */
export interface Answer {
  readonly result: Uint8Array
  readonly receipt: Receipt
  readonly transaction: LedgerTransaction | null
  readonly steps: readonly Step[]
}

/** Steps 7 to 9 of an operation that was done. */
export async function deliver(
  parts: DeliveryParts,
  admitted: Admitted,
  record: OperationRecord,
  region: SecureRegion | undefined,
  release: Release,
  trace: Trace,
): Promise<Answer> {
  const lost = (cause: unknown, receipt?: Receipt) =>
    new Refusal(
      'RESULT_LOST',
      `record ${record.seq.toString()} stands, but its result was lost with the HSM's process`,
      {
        cause,
        ...(receipt === undefined ? {} : { receipt }),
      },
    )
  const recordedAt = performance.now()
  const receipt = await sign(parts, admitted, record, trace).catch((cause: unknown) => {
    throw lost(cause)
  })
  const transaction = await awaitRelease(parts, record, release, trace, recordedAt)
  if (transaction === undefined) {
    throw new Refusal(
      'RELEASE_PENDING',
      `record ${record.seq.toString()} stands, but was not ${release} in ${parts.releaseTimeoutMs} ms; its result is not given out`,
      { receipt, transaction: null },
    )
  }
  try {
    const result = await trace.time('reply', async () => {
      if (region === undefined) throw new RangeError('done without a region')
      const copy = await region.result()
      await region.close()
      return copy
    })
    return { result, receipt, transaction, steps: trace.steps }
  } catch (cause) {
    throw lost(cause, receipt)
  }
}

/** The answer to an operation that is on record as denied or failed. It never waits in vain: there is no result to hold back. */
export async function refusalOnRecord(
  parts: DeliveryParts,
  admitted: Admitted,
  record: OperationRecord,
  release: Release,
  trace: Trace,
): Promise<Refusal> {
  const reason = reasonOf(record.status)
  const code = reason === undefined || reason === 'DONE' ? 'DEVICE_FAILED' : reason
  // Where the HSM is what failed there is no signature to be had; the record stands without it.
  const recordedAt = performance.now()
  const receipt = await sign(parts, admitted, record, trace).catch((error: unknown) => {
    parts.log('warn', 'receipt.failed', { seq: record.seq, ...errorFields(error) })
    return undefined
  })
  const transaction = (await awaitRelease(parts, record, release, trace, recordedAt)) ?? null
  trace.note('reply', true, code)
  return new Refusal(code, `${REASON_WORDS[code]}; this is on record as number ${record.seq.toString()}`, {
    ...(receipt === undefined ? {} : { receipt }),
    transaction,
  })
}

async function sign(
  { receipts, batcher }: DeliveryParts,
  admitted: Admitted,
  record: OperationRecord,
  trace: Trace,
): Promise<Receipt> {
  // A promise that can no longer be kept is not made.
  if (batcher.failure !== undefined) throw batcher.failure
  const start = performance.now()
  const pending = receipts.receipt(record, admitted)
  batcher.wake()
  const receipt = await pending
  const recordedMs = trace.steps.find(({ name }) => name === 'record')?.ms ?? 0
  const detail = `seq ${record.seq.toString()}, in a group of ${receipt.group.count}`
  trace.note('record', true, detail, recordedMs + performance.now() - start)
  return receipt
}

/**
 * Step 8, and what it sees of step 10, which has run beside the others since the record was there. Where nothing is waited
 * for, step 10 is not come to.
 *
 * @param recordedAt when the batch loop could begin, by `performance.now()`
 * @returns null where there is nothing to wait for, undefined where it was waited for in vain
 */
async function awaitRelease(
  { batcher, releaseTimeoutMs }: DeliveryParts,
  { seq }: OperationRecord,
  release: Release,
  trace: Trace,
  recordedAt: number,
): Promise<LedgerTransaction | null | undefined> {
  if (release === 'journaled') {
    trace.note('release', true, release)
    return null
  }
  const start = performance.now()
  const transaction = await batcher.reached(seq, release, releaseTimeoutMs)
  const end = performance.now()
  trace.note('release', transaction !== undefined, release, end - start)
  trace.note('commit', transaction !== undefined, commitDetail(transaction), end - recordedAt)
  return transaction
}

function commitDetail(transaction: LedgerTransaction | undefined): string {
  if (transaction === undefined) return 'under way'
  const { hash, blockNumber } = transaction
  return blockNumber === null ? `${hash}, sent` : `${hash} in block ${blockNumber.toString()}`
}
