import type { Hex } from '../core/bytes.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { EMPTY_RANGE, type MountainRange } from '../record/mountain-range.ts'
import { REASONS } from '../record/reason.ts'
import type { OperationRecord } from '../record/record.ts'
import type { TpmClock } from '../tcg/attest.ts'

/** A record as it stands on the ledger. */
export interface CommittedRecord {
  readonly record: OperationRecord
  /** The first number of its batch. */
  readonly batch: bigint
  readonly blockNumber: bigint
}

/** One host's log as it was replayed so far. */
export class HostLog {
  readonly hostId: Hex
  readonly records = new Map<bigint, CommittedRecord>()
  readonly pcrSelections = new Set<string>()
  /** Runs of records that are not on the ledger: their batches were committed by their root alone. */
  readonly anchored: { readonly firstSeq: bigint; readonly count: number }[] = []
  batches = 0
  /** All its batches; undefined from the first on that cannot be read. */
  range: MountainRange | undefined = EMPTY_RANGE
  nextSeq = 0n
  head: Hex = ZERO_HASH
  nvCounter = 0n
  /** Undefined before the first batch, and where the last one's quote does not hold. */
  clock: TpmClock | undefined

  constructor(hostId: Hex) {
    this.hostId = hostId
  }

  /** Whether a record was committed by its batch's root alone. */
  isAnchored(seq: bigint): boolean {
    return this.anchored.some(({ firstSeq, count }) => seq >= firstSeq && seq < firstSeq + BigInt(count))
  }

  /** How many of its records ended in which way. */
  counts(): { readonly done: number; readonly denied: number; readonly failed: number } {
    const count = { done: 0, denied: 0, failed: 0 }
    for (const { record } of this.records.values()) {
      if (record.status === REASONS.DONE) count.done++
      else if (record.status <= REASONS.GRANT_ASSURANCE) count.denied++
      else count.failed++
    }
    return count
  }
}
