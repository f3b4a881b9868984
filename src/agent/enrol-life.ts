/** The longest that a request may count, in seconds: 30 days. */
export const MAX_REQUEST_LIFE_S = 30n * 86_400n
/** The longest that a challenge, and a registration that follows from it, may count, in seconds: 7 days. */
export const MAX_CHALLENGE_LIFE_S = 7n * 86_400n
/** How far the clocks of two machines may be apart, in seconds. */
export const CLOCK_SKEW_S = 3600n

/** Whether something expires later than it may. @param expires, nowS in seconds since the epoch */
export function livesTooLong(expires: bigint, nowS: bigint, most: bigint): boolean {
  return expires > nowS + most + CLOCK_SKEW_S
}

/** In words. @param seconds whole days */
export function daysOf(seconds: bigint): string {
  return `${seconds / 86_400n} days`
}
