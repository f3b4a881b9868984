import { equal } from '../core/bytes.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { resetValue } from '../tcg/reset-value.ts'

/** What firmware extends at every boot: PCR 0 to 7. */
const FIRMWARE_PCRS = 8

/** The PCRs that are as a reset leaves them (SHA-256 bank): nothing was measured into them, so they prove nothing. */
export function unextendedPcrs(values: PcrValues): readonly number[] {
  return [...values].filter(([pcr, value]) => equal(value, resetValue('sha256', pcr))).map(([pcr]) => pcr)
}

/** Says it of one of them, and what to do. */
export function unextendedText(pcr: number): string {
  const why = pcr < FIRMWARE_PCRS ? 'firmware did not measure itself' : 'run "attestry measure" first'
  return `PCR ${pcr} was never extended: ${why}`
}
