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

/** A whole number of at most 64 bits. */
export function uint64(text: string): bigint {
  if (!/^\d{1,20}$/.test(text) || BigInt(text) >= 2n ** 64n) {
    throw new InvalidArgumentError('Expected a whole number from 0 on.')
  }
  return BigInt(text)
}

/** A whole number from 0 to 255. */
export function uint8(text: string): number {
  if (!/^\d{1,3}$/.test(text) || Number(text) > 255)
    throw new InvalidArgumentError('Expected a whole number up to 255.')
  return Number(text)
}

/** A moment: ISO 8601, seconds since the epoch, or from now as `+90s`, `-5m`, `+12h`, `+30d`. In seconds since the epoch. */
export function moment(text: string): bigint {
  const relative = /^([+-])(\d{1,9})([smhd])$/.exec(text)
  if (relative !== null) {
    const [, sign, amount, unit = 's'] = relative
    const seconds = Number(amount) * ({ s: 1, m: 60, h: 3600, d: 86400 }[unit] ?? 1)
    return BigInt(Math.floor(Date.now() / 1000) + (sign === '-' ? -seconds : seconds))
  }
  if (/^\d{1,12}$/.test(text)) return BigInt(text)
  const parsed = Date.parse(text)
  if (Number.isNaN(parsed)) throw new InvalidArgumentError('Expected a time such as 2027-01-31T12:00:00Z, +30d or -5m.')
  return BigInt(Math.floor(parsed / 1000))
}
