import { JournalError } from './error.ts'
import type { CounterMark } from './journal-entry.ts'
import type { Journal } from './journal.ts'
import type { PinnedTpm } from './pinned-tpm.ts'

type Counter = Pick<PinnedTpm, 'readCounter' | 'incrementCounter'>

/**
 * Compares the TPM's NV counter with the journal's mark, at a start. The counter rises with every batch and cannot be set
 * back, so a journal that was restored from an old copy knows less than the TPM.
 *
 * A journal without a mark is new. It takes the counter as it stands: whether it ought to be new, the ledger tells.
 *
 * @throws JournalError JOURNAL_ROLLED_BACK, COUNTER_BEHIND
 */
export async function checkCounter(journal: Journal, tpm: Counter): Promise<void> {
  const mark = journal.counterMark()
  const value = await tpm.readCounter()
  if (mark !== undefined && value < mark.value) {
    throw new JournalError(
      'COUNTER_BEHIND',
      `the TPM's counter stands at ${value.toString()}, the journal has seen ${mark.value.toString()}: its state was restored, or nv_index names another counter`,
    )
  }
  if (mark !== undefined && !isExplained(mark, value)) {
    throw new JournalError(
      'JOURNAL_ROLLED_BACK',
      `the TPM's counter stands at ${value.toString()}, the journal knows of ${mark.value.toString()}: it was restored from an old copy`,
    )
  }
  journal.setCounterMark({ value, pending: false })
}

/** Increments the TPM's counter. That it is about to is noted first, so that no increment goes unexplained at a start. */
export async function nextCounter(journal: Journal, tpm: Counter): Promise<bigint> {
  const mark = journal.counterMark()
  // After an increment whose outcome nobody knows the TPM is asked: the mark is never more than one increment behind.
  const before = mark === undefined || mark.pending ? await tpm.readCounter() : mark.value
  journal.setCounterMark({ value: before, pending: true })
  const value = await tpm.incrementCounter()
  journal.setCounterMark({ value, pending: false })
  return value
}

/** A counter's first increment starts above all counters that the TPM ever had, so from 0 it may lead anywhere. */
function isExplained({ value, pending }: CounterMark, found: bigint): boolean {
  return found === value || (pending && (value === 0n || found === value + 1n))
}
