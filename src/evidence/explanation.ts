import type { Claim } from './claim.ts'

/** What a log makes of a PCR. */
export interface Explanation {
  /** The value to which the log leads; undefined where it leads nowhere, of which its claims say more. */
  readonly value: Uint8Array | undefined
  /** What the log says, held against the policy. */
  readonly claims: readonly Claim[]
}
