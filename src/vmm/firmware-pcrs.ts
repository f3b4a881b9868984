import type { PcrValues } from '../tcg/bank.ts'
import { VmmError } from './error.ts'

/** Whether firmware extends a PCR at every boot: 0 to 7 (TCG PC Client Platform Firmware Profile, "PCR Usage"). */
export function isFirmwarePcr(pcr: number): boolean {
  return pcr < 8
}

/**
 * Refuses firmware PCRs that are zero: nothing measured them, so they say nothing of the firmware, nor of what was measured after it.
 *
 * @throws VmmError `PCR_ZERO`
 */
export function requireFirmwarePcrs(values: PcrValues): void {
  const zero = [...values].find(([pcr, value]) => isFirmwarePcr(pcr) && value.every((byte) => byte === 0))
  if (zero === undefined) return
  throw new VmmError(
    'PCR_ZERO',
    `expected a measurement in PCR ${zero[0]}, found zero: firmware did not measure itself`,
  )
}
