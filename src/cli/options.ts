import { InvalidArgumentError } from 'commander'
import type { Hex } from '../core/bytes.ts'

/** A 32-byte identifier as `0x` and 64 digits. */
export function bytes32(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{64}$/.test(text)) throw new InvalidArgumentError('Expected 0x and 64 hexadecimal digits.')
  return text.toLowerCase() as Hex
}

/** A ledger address as `0x` and 40 digits. */
export function address(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('Expected 0x and 40 hexadecimal digits.')
  return text.toLowerCase() as Hex
}

/** A parser of whole numbers within bounds, both included; at most 64 bits. */
export function whole(min: bigint, max = 2n ** 64n - 1n): (text: string) => bigint {
  return (text) => {
    if (/^\d{1,20}$/.test(text) && BigInt(text) >= min && BigInt(text) <= max) return BigInt(text)
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`)
  }
}

/** As `whole`, for small numbers. */
export function small(min: number, max: number): (text: string) => number {
  const parse = whole(BigInt(min), BigInt(max))
  return (text) => Number(parse(text))
}

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const
/** Fewer are no seconds since the epoch, but a slip. */
const FIRST_SECOND = 10n ** 9n

/**
 * A moment, in seconds since the epoch: from now as `+90s`, `-5m`, `+12h`, `+30d`; a day in UTC, which means its beginning, or a time with
 * its zone, by ISO 8601; or seconds since the epoch, from 10^9 on.
 */
export function moment(text: string): bigint {
  const relative = /^([+-])(\d{1,9})([smhd])$/.exec(text)
  if (relative !== null) {
    const [, sign, amount, unit] = relative
    const seconds = Number(amount) * SECONDS[unit as keyof typeof SECONDS]
    return BigInt(Math.max(0, now() + (sign === '-' ? -seconds : seconds)))
  }
  if (/^\d{1,12}$/.test(text)) {
    if (BigInt(text) >= FIRST_SECOND) return BigInt(text)
    throw new InvalidArgumentError(
      `Expected seconds since the epoch, from ${FIRST_SECOND} on; in days it is +${text}d.`,
    )
  }
  const parsed = date(text)
  if (parsed === undefined)
    throw new InvalidArgumentError('Expected a time such as 2027-01-31, 2027-01-31T12:00:00Z, +30d or -5m.')
  return BigInt(Math.floor(parsed / 1000))
}

/** A moment that is still ahead. */
export function end(text: string): bigint {
  const seconds = moment(text)
  if (seconds <= BigInt(now())) throw new InvalidArgumentError(`That is over: ${utc(seconds)}.`)
  return seconds
}

/** An end that people at other times must be able to name too: where it is said from now on, the beginning of the next day in UTC. */
export function endOfDay(text: string): bigint {
  const seconds = end(text)
  const day = BigInt(SECONDS.d)
  return text.startsWith('+') ? ((seconds + day - 1n) / day) * day : seconds
}

/** Seconds since the epoch as ISO 8601 in UTC; a whole day without its time. What `moment` takes back. */
export function utc(seconds: bigint): string {
  if (seconds > 253_402_300_799n) return String(seconds)
  return new Date(Number(seconds) * 1000).toISOString().replace('.000Z', 'Z').replace('T00:00:00Z', '')
}

function now(): number {
  return Math.floor(Date.now() / 1000)
}

/** In ms; undefined for what is no date. A day that its month does not have is none, though Date would take it. */
function date(text: string): number | undefined {
  const fields = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.exec(text)
  const day = Date.parse(fields?.[1] ?? '')
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== fields?.[1]) return undefined
  const parsed = Date.parse(text)
  return Number.isNaN(parsed) ? undefined : parsed
}
