import { concat } from '../../src/core/bytes.ts'

/** Numbers that lengths and counts go wrong at. */
const NUMBERS = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]
/** No input grows beyond this, in bytes. */
export const MAX_INPUT = 1 << 16

/** Whole numbers below a bound, the same for the same seed (xorshift). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** A changed copy of one input, with parts of another. */
export function mutate(
  input: Uint8Array,
  other: Uint8Array,
  random: (below: number) => number,
): Uint8Array<ArrayBuffer> {
  let bytes = Uint8Array.from(input)
  for (let i = random(4); i >= 0; i--) bytes = mutateOnce(bytes, other, random)
  return bytes.length > MAX_INPUT ? bytes.slice(0, MAX_INPUT) : bytes
}

function mutateOnce(
  bytes: Uint8Array<ArrayBuffer>,
  other: Uint8Array,
  random: (below: number) => number,
): Uint8Array<ArrayBuffer> {
  const at = random(bytes.length + 1)
  const length = 1 + random(random(8) === 0 ? 1024 : 16)
  const changed = bytes
  switch (random(9)) {
    case 0:
      if (at < bytes.length) changed[at] = (bytes[at] ?? 0) ^ (1 << random(8))
      return changed
    case 1:
      if (at < bytes.length) changed[at] = random(256)
      return changed
    case 2:
      return write(changed, at, NUMBERS[random(NUMBERS.length)] ?? 0, 1 << random(3), random(2) === 0)
    case 3:
      // A length in front of what follows, a little too small or too large.
      return write(changed, at, Math.max(0, bytes.length - at - 4 + random(9) - 4), 1 << random(3), random(2) === 0)
    case 4:
      return concat(bytes.subarray(0, at), bytes.subarray(at + length))
    case 5:
      return concat(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at))
    case 6: {
      const from = random(other.length + 1)
      return concat(bytes.subarray(0, at), other.subarray(from, from + length), bytes.subarray(at))
    }
    case 7:
      return concat(bytes.subarray(0, at), other.subarray(random(other.length + 1)))
    default:
      return bytes.slice(0, at)
  }
}

function write(
  bytes: Uint8Array<ArrayBuffer>,
  at: number,
  value: number,
  size: number,
  little: boolean,
): Uint8Array<ArrayBuffer> {
  for (let i = 0; i < size && at + i < bytes.length; i++) {
    bytes[at + i] = Math.floor(value / 256 ** (little ? i : size - 1 - i)) & 0xff
  }
  return bytes
}
