import { equal, toHex } from '../core/bytes.ts'
import type { BankName, PcrValues } from './bank.ts'
import type { EventLog } from './event-log.ts'
import type { Finding } from './event-log-finding.ts'
import { replayEventLog } from './event-log-replay.ts'
import type { ComputableBank } from './hash.ts'
import { resetValue } from './reset-value.ts'

/** How a log compares with PCRs. */
export interface PcrComparison {
  /** PCRs that the log has events for and that were given, by bank. */
  readonly compared: number
  /** Whether at least one was compared and all that were are equal. */
  readonly agree: boolean
  readonly findings: readonly Finding[]
}

/** Banks of a log that can be replayed, in its order. */
export function replayableBanks(log: EventLog): readonly ComputableBank[] {
  return log.algorithms.flatMap(({ bank }) => (bank === undefined || bank === 'sm3_256' ? [] : [bank]))
}

/**
 * Compares PCRs with what the log replays to. A PCR that the log has no event for is no contradiction: others extend it, the kernel's IMA PCR 10. It is a
 * finding, unless it has the value of a reset.
 *
 * @param given untrusted; by bank
 */
export function compareWithPcrs(log: EventLog, given: ReadonlyMap<BankName, PcrValues>): PcrComparison {
  const findings: Finding[] = []
  const add = (code: Finding['code'], detail: string) => findings.push({ code, event: null, detail })
  const banks = replayableBanks(log)
  let compared = 0
  let differ = 0
  for (const [bank, values] of given) {
    const known = banks.find((one) => one === bank)
    if (known === undefined) {
      add('BANK_NOT_IN_LOG', `the log has no ${bank} digests that can be replayed`)
      continue
    }
    const replayed = replayEventLog(log, known)
    for (const [pcr, value] of values) {
      const expected = replayed.get(pcr)
      if (expected === undefined) {
        if (equal(value, resetValue(known, pcr))) continue
        add('PCR_NOT_IN_LOG', `PCR ${pcr} of ${bank} was extended, and the log has no event for it`)
        continue
      }
      compared++
      if (equal(value, expected)) continue
      differ++
      add('PCR_MISMATCH', `PCR ${pcr} of ${bank}: the log gives ${toHex(expected)}, found ${toHex(value)}`)
    }
  }
  if (compared === 0) add('NOTHING_COMPARED', 'none of the PCRs that were given has an event in the log')
  return { compared, agree: compared > 0 && differ === 0, findings }
}
