import type { TpmClock } from '../tcg/attest.ts'

/**
 * The order of two readings of one TPM's clock: by resets, then restarts, then milliseconds. Later evidence must be greater; equal
 * is a replay. Whether a reading was `safe` has no part in it.
 *
 * @returns negative where `a` is before `b`, 0 where they are the same, positive where `a` is after `b`
 */
export function compareClock(a: TpmClock, b: TpmClock): number {
  if (a.resetCount !== b.resetCount) return a.resetCount - b.resetCount
  if (a.restartCount !== b.restartCount) return a.restartCount - b.restartCount
  return a.clock < b.clock ? -1 : Number(a.clock > b.clock)
}
