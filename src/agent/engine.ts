import type { Hex } from '../core/bytes.ts'
import { ZERO_HASH } from '../record/hash.ts'
import type { SignedRequest } from '../record/parse.ts'
import { REASONS } from '../record/reason.ts'
import { admit, type AdmissionPolicy, type Admitted } from './admission.ts'
import type { Release } from './config.ts'
import type { Answer } from './delivery.ts'
import type { Intent, Outcome } from './journal-entry.ts'
import type { Journal } from './journal.ts'
import { errorFields } from './log.ts'
import { onDisk, replayed, runOperation, type OperationParts } from './operation.ts'
import { Refusal } from './refusal.ts'
import { Trace } from './trace.ts'

/** A request as it came in. */
export interface Submission {
  /** Parsed, otherwise untrusted. */
  readonly signed: SignedRequest
  /** The engine's from now on: it wipes it. */
  readonly input: Uint8Array
  /** Who sent it, as the kernel says. */
  readonly uid: number
  readonly release: Release
}

interface InFlight {
  readonly uid: number
  readonly salt: Hex
  readonly answer: Promise<Answer>
}

const MAX_IN_FLIGHT = 64

/** Carries out operations: the ten steps, and what holds between operations. */
export class Engine {
  readonly #policy: AdmissionPolicy
  readonly #parts: OperationParts
  readonly #inFlight = new Map<Hex, InFlight>()
  readonly #orphans = new Set<Intent>()
  #stopping = false

  constructor(policy: AdmissionPolicy, parts: Omit<OperationParts, 'onOrphan'>) {
    this.#policy = policy
    this.#parts = { ...parts, onOrphan: (intent) => this.#orphans.add(intent) }
  }

  /**
   * Carries out one request.
   *
   * A request that is under way already joins it and gets the same answer, if the same user sent it; otherwise a request
   * that was accepted before is refused.
   *
   * @throws Refusal, with the steps that were come to
   */
  async submit(submission: Submission): Promise<Answer> {
    const trace = new Trace()
    try {
      return await this.#submit(submission, trace)
    } catch (error) {
      throw this.#withSteps(error, trace)
    } finally {
      submission.input.fill(0)
    }
  }

  /** Takes no more requests, and waits for those that are under way. */
  async close(): Promise<void> {
    this.#stopping = true
    await Promise.allSettled([...this.#inFlight.values()].map(({ answer }) => answer))
  }

  async #submit({ signed, input, uid, release }: Submission, trace: Trace): Promise<Answer> {
    const { journal, now, batcher } = this.#parts
    const accepted = await trace.time('request', (): { admitted: Admitted; same?: InFlight } => {
      if (this.#stopping) throw new Refusal('AGENT_STOPPING', 'the agent is being stopped')
      const { failure } = batcher
      if (failure !== undefined) throw new Refusal('JOURNAL_UNAVAILABLE', failure.message, { cause: failure })
      const admitted = admit(this.#policy, signed, input, now())
      const same = this.#inFlight.get(admitted.requestHash)
      if (same !== undefined) {
        if (same.uid !== uid || same.salt !== signed.salt) throw replayed()
        return { admitted, same }
      }
      if (onDisk(() => journal.knows(admitted.requestHash))) throw replayed()
      if (this.#inFlight.size >= MAX_IN_FLIGHT) throw new Refusal('AGENT_BUSY', 'too many operations are under way')
      return { admitted }
    })
    const { admitted, same } = accepted
    if (same === undefined) return this.#run(admitted, input, uid, release, trace)
    const answer = await same.answer
    return { ...answer, result: answer.result.slice() }
  }

  async #run(admitted: Admitted, input: Uint8Array, uid: number, release: Release, trace: Trace): Promise<Answer> {
    const { requestHash, operation, salt } = admitted
    this.#settleOrphans()
    const start = performance.now()
    const answer = runOperation(this.#parts, admitted, input, release, trace)
    this.#inFlight.set(requestHash, { uid, salt, answer })
    try {
      const { receipt, ...rest } = await answer
      const ms = Math.round(performance.now() - start)
      this.#parts.log('info', 'operation.done', { requestHash, operation, seq: receipt.record.seq, release, ms })
      return { receipt, ...rest }
    } finally {
      this.#inFlight.delete(requestHash)
    }
  }

  /** Puts on record what could not be put there when it ended. */
  #settleOrphans(): void {
    const { now, journal } = this.#parts
    for (const intent of this.#orphans) {
      onDisk(() => journal.record(intent, interruptedAt(now())))
      this.#orphans.delete(intent)
    }
  }

  /** A refusal says which steps were come to. What nobody foresaw goes on as it is. */
  #withSteps(error: unknown, trace: Trace): unknown {
    if (!(error instanceof Refusal)) return error
    this.#parts.log('info', 'operation.refused', errorFields(error))
    const { steps = trace.steps } = error.detail
    return new Refusal(error.code, error.message, { ...error.detail, cause: error.cause, steps })
  }
}

/** Puts on record, at a start, what an earlier run of the agent began and did not end. @returns how many there were */
export function recordInterrupted(journal: Journal, now: bigint): number {
  const intents = journal.openIntents()
  for (const intent of intents) {
    journal.record(intent, interruptedAt(now))
  }
  return intents.length
}

function interruptedAt(timestamp: bigint): Outcome {
  return { status: REASONS.INTERRUPTED, resultHash: ZERO_HASH, timestamp }
}
