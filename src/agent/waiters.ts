import type { LedgerTransaction } from './refusal.ts'

/** How far towards the ledger a record can be waited for. */
export type Level = 'submitted' | 'confirmed'

interface Waiter {
  readonly seq: bigint
  readonly level: Level
  readonly settle: (transaction: LedgerTransaction | undefined) => void
}

/** Those who wait for records to get somewhere. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()

  /** @returns undefined where the record did not get there in time, or nobody will tell any more */
  wait(seq: bigint, level: Level, timeoutMs: number): Promise<LedgerTransaction | undefined> {
    return new Promise((resolve) => {
      const settle = (transaction: LedgerTransaction | undefined) => {
        clearTimeout(timer)
        this.#waiting.delete(waiter)
        resolve(transaction)
      }
      const waiter: Waiter = { seq, level, settle }
      const timer = setTimeout(() => settle(undefined), timeoutMs)
      this.#waiting.add(waiter)
    })
  }

  /** Says that all records before `end` got there. What is confirmed was submitted, too. */
  reach(level: Level, end: bigint, transaction: LedgerTransaction): void {
    for (const waiter of [...this.#waiting]) {
      if (waiter.seq < end && (level === 'confirmed' || waiter.level === level)) waiter.settle(transaction)
    }
  }

  /** Sends everybody away. */
  end(): void {
    for (const waiter of [...this.#waiting]) waiter.settle(undefined)
  }
}
