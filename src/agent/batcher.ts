import { setTimeout as sleep } from 'node:timers/promises'
import type { Hex } from '../core/bytes.ts'
import { headAfter } from '../record/batch.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { batchLimit, buildBatch, type BatchParts } from './batch-builder.ts'
import { JournalError } from './error.ts'
import type { Batch } from './journal-entry.ts'
import { errorFields, type Log } from './log.ts'
import type { LedgerTransaction } from './refusal.ts'
import { Waiters } from './waiters.ts'

/** How the batch loop stands. */
export type BatcherState = 'idle' | 'working' | 'backing-off' | 'failed' | 'stopped'

interface LedgerHead {
  readonly nextSeq: bigint
  readonly head: Hex
}

const FIRST_BACK_OFF_MS = 250
const MAX_BACK_OFF_MS = 10_000
/** How often a transaction that was sent is looked for. */
const POLL_MS = 200
/** How long it is looked for before its bytes are sent again. */
const RESEND_MS = 10_000
/** How often the ledger is looked at when there is nothing to do: it may have lost blocks. */
const IDLE_MS = 15_000
/** An anchor is good for 256 blocks; past this many a transaction that is not mined is made anew, with the same nonce. */
const MAX_ANCHOR_AGE = 200n

/**
 * Commits journaled records to the ledger, one batch after the other, each record exactly once.
 *
 * The ledger is the truth: each pass starts from its `nextSeq` and `head`, so a start after a crash, a ledger that was away, one
 * that lost its last blocks, and the next batch are all the same case. What a crash leaves, by the last step that was done:
 *
 * | last step done            | left                              | what the next start does                                |
 * |---------------------------|-----------------------------------|---------------------------------------------------------|
 * | request checked           | nothing                           | nothing; the customer may ask again                     |
 * | intent on disk            | an intent without a record        | a record INTERRUPTED; the request counts as used         |
 * | operation executed        | the same; pages went with the HSM's process | the same                                      |
 * | record on disk            | a record that is in no batch      | puts it into a batch; the customer asks what became of it |
 * | receipt signed, reply sent | the same                         | the same, well before `includeBy`                       |
 * | counter mark set pending  | the TPM's counter may be one ahead | accepts either value                                   |
 * | counter incremented       | the TPM's counter is one ahead    | the same; the next batch takes a later one              |
 * | quote made, bytes signed  | the same: nobody has seen them    | builds the batch anew                                   |
 * | signed bytes on disk      | a batch `signed`                  | sends these same bytes                                  |
 * | sent                      | a batch `signed` that may be mined | finds it by nextSeq and head, or sends the same bytes  |
 * | sent, noted               | a batch `sent`                    | the same                                                |
 * | mined                     | the same                          | notes it as confirmed                                   |
 * | confirmed on disk         | nothing                           | nothing                                                 |
 */
export class Batcher {
  readonly #parts: BatchParts
  readonly #log: Log
  readonly #waiters = new Waiters()
  readonly #stop = new AbortController()
  #woken = new AbortController()
  #state: BatcherState = 'idle'
  readonly #failed = Promise.withResolvers<JournalError>()
  #failure: JournalError | undefined
  #loop: Promise<void> | undefined

  constructor(parts: BatchParts, log: Log) {
    this.#parts = parts
    this.#log = log
  }

  get state(): BatcherState {
    return this.#state
  }

  /** Why the loop gave up; it never goes on after this. */
  get failure(): JournalError | undefined {
    return this.#failure
  }

  /** Resolves when the loop gives up. */
  get failed(): Promise<JournalError> {
    return this.#failed.promise
  }

  /** Compares journal and ledger once, before anything is written. @throws JournalError, LedgerError */
  async reconcile(): Promise<void> {
    await this.#settle(await this.#ledgerHead())
  }

  /** Commits in the background from now on. */
  start(): void {
    this.#loop = this.#run()
  }

  /** Says that there is a new record. */
  wake(): void {
    this.#woken.abort()
  }

  /**
   * Waits until a record has come so far.
   *
   * @returns undefined where it has not in time, or where the loop ended before
   */
  async reached(
    seq: bigint,
    level: 'submitted' | 'confirmed',
    timeoutMs: number,
  ): Promise<LedgerTransaction | undefined> {
    const batch = this.#parts.journal.batchWith(seq)
    if (batch?.state === 'confirmed' || (batch?.state === 'sent' && level === 'submitted')) {
      return { hash: batch.hash, blockNumber: batch.blockNumber ?? null }
    }
    if (this.#failure !== undefined || this.#stop.signal.aborted) return undefined
    return this.#waiters.wait(seq, level, timeoutMs)
  }

  /** Sends away all who wait now. */
  giveUpWaiting(): void {
    this.#waiters.end()
  }

  /** Ends the loop after the step that it is at. Nobody waits any more. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.wake()
    this.#waiters.end()
    await this.#loop
    this.#state = 'stopped'
  }

  async #run(): Promise<void> {
    let backOffMs = FIRST_BACK_OFF_MS
    while (!this.#stop.signal.aborted) {
      try {
        this.#state = 'working'
        const done = await this.#pass()
        backOffMs = FIRST_BACK_OFF_MS
        if (done) await this.#rest('idle', IDLE_MS)
      } catch (error) {
        if (error instanceof JournalError) return this.#fail(error)
        this.#log('warn', 'batch.delayed', { retryMs: backOffMs, ...errorFields(error) })
        await this.#rest('backing-off', backOffMs)
        backOffMs = Math.min(MAX_BACK_OFF_MS, backOffMs * 2)
      }
    }
  }

  /** One look at the ledger and what follows from it. @returns whether everything is on the ledger */
  async #pass(): Promise<boolean> {
    const { journal, ledger } = this.#parts
    const at = await this.#ledgerHead()
    if (!(await this.#settle(at))) {
      await pause(POLL_MS, this.#stop.signal)
      return false
    }
    const attempts = journal.batchesFrom(at.nextSeq).filter(({ state }) => state !== 'dropped')
    const newest = attempts.at(-1)
    if (newest === undefined) {
      const records = journal.records(at.nextSeq, batchLimit(ledger.deployment.profile.maxTransactionBytes))
      if (records.length === 0) return true
      await this.#submit(await buildBatch(this.#parts, records, at.head))
      return false
    }
    for (const attempt of attempts) {
      const receipt = await ledger.receipt(attempt.hash)
      if (receipt === undefined) continue
      if (!receipt.ok) await this.#drop(attempt, receipt.blockNumber)
      // Mined either way: where it stands in the log is for the next pass to see.
      await pause(POLL_MS, this.#stop.signal)
      return false
    }
    const { number } = await ledger.latestBlock()
    if (number > newest.header.anchorBlock + MAX_ANCHOR_AGE) {
      const records = journal.records(at.nextSeq, newest.header.count)
      await this.#submit(await buildBatch(this.#parts, records, at.head, newest.nonce))
    } else {
      await this.#submit(newest)
    }
    return false
  }

  /**
   * Compares the ledger's state with the journal's and notes what the ledger has confirmed.
   *
   * @returns false where the node cannot say yet in which transaction it was
   */
  async #settle({ nextSeq, head }: LedgerHead): Promise<boolean> {
    const { journal, ledger } = this.#parts
    if (nextSeq === 0n && head === ZERO_HASH) return true
    const attempts = journal.batchesUpTo(nextSeq)
    if (attempts.length === 0) {
      throw new JournalError(
        'JOURNAL_ROLLED_BACK',
        `the ledger has ${nextSeq.toString()} records of this host, the journal knows of no batch that ends there: ` +
          'it was restored from an old copy, or removed',
      )
    }
    const batch = attempts.find(({ header }) => headAfter(header) === head)
    if (batch === undefined) {
      throw new JournalError(
        'LEDGER_DIVERGED',
        `the ledger's head ${head} after ${nextSeq.toString()} records is that of no batch in the journal`,
      )
    }
    if (batch.state === 'confirmed') return true
    const receipt = await ledger.receipt(batch.hash)
    if (receipt === undefined) return false
    journal.markConfirmed(batch, receipt.blockNumber)
    const { firstSeq, count } = batch.header
    this.#log('info', 'batch.confirmed', { hash: batch.hash, block: receipt.blockNumber, firstSeq, count })
    this.#waiters.reach('confirmed', nextSeq, { hash: batch.hash, blockNumber: receipt.blockNumber })
    return true
  }

  /** Sends a batch's bytes, for the first time or again, and waits a while for them to be mined. */
  async #submit(batch: Batch): Promise<void> {
    const { journal, ledger } = this.#parts
    const { firstSeq, count } = batch.header
    await ledger.send(batch.raw)
    journal.markSent(batch.hash)
    this.#log('info', 'batch.sent', { hash: batch.hash, firstSeq, count, nonce: batch.nonce })
    this.#waiters.reach('submitted', firstSeq + BigInt(count), { hash: batch.hash, blockNumber: null })
    const deadline = performance.now() + RESEND_MS
    while (performance.now() < deadline && !this.#stop.signal.aborted) {
      if ((await ledger.receipt(batch.hash)) !== undefined) return
      await pause(POLL_MS, this.#stop.signal)
    }
  }

  /** A transaction was mined and reverted: its nonce is gone, and its records are not in, which nextSeq must say. */
  async #drop(batch: Batch, blockNumber: bigint): Promise<void> {
    const { journal, ledger } = this.#parts
    const { firstSeq } = batch.header
    const latest = await ledger.latestBlock()
    const { nextSeq } = await this.#ledgerHead()
    if (latest.number < blockNumber || nextSeq !== firstSeq) return
    journal.markDropped(firstSeq, batch.nonce)
    throw new Error(`transaction ${batch.hash} of the records from ${firstSeq.toString()} on was mined and reverted`)
  }

  /** `nextSeq` and `head` of one moment: read again until nothing came between. */
  async #ledgerHead(): Promise<LedgerHead> {
    const { ledger, hostId } = this.#parts
    for (;;) {
      const nextSeq = await ledger.nextSeq(hostId)
      const head = await ledger.head(hostId)
      if ((await ledger.nextSeq(hostId)) === nextSeq) return { nextSeq, head }
    }
  }

  #fail(error: JournalError): void {
    this.#failure = error
    this.#failed.resolve(error)
    this.#state = 'failed'
    this.#log('error', 'batch.stopped', errorFields(error))
    this.#waiters.end()
  }

  /** Does nothing for a while; where it is idle, a new record ends that. */
  async #rest(state: BatcherState, ms: number): Promise<void> {
    this.#state = state
    const { signal } = this.#stop
    await pause(ms, state === 'idle' ? AbortSignal.any([signal, this.#woken.signal]) : signal)
    this.#woken = new AbortController()
  }
}

/** Waits, but no longer than until the signal. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    // Nothing but the signal ends a pause early.
  }
}
