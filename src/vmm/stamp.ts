import { lstatSync, statSync, type BigIntStats } from 'node:fs'

/** A file's identity and times: while a settled stamp stays the same, so does the content. */
export type Stamp = string

/** The stamp of nothing. */
export const ABSENT: Stamp = 'absent'

/**
 * Kernels before 6.13 date files by the timer tick, so that two writes within one tick look alike. A stamp that is
 * younger than this when it is taken cannot vouch for what is written next.
 */
const SETTLED_MS = 50n

/** The stamp of what is at a path now; of a link, its own and that of what it leads to. */
export function stampOf(path: string): Stamp {
  const own = lstatSync(path, { bigint: true, throwIfNoEntry: false })
  if (own === undefined) return ABSENT
  if (!own.isSymbolicLink()) return stampOfStats(own)
  const target = statSync(path, { bigint: true, throwIfNoEntry: false })
  return `${stampOfStats(own)} > ${target === undefined ? ABSENT : stampOfStats(target)}`
}

/** Whether nothing was there, or a link to nothing. */
export function leadsNowhere(stamp: Stamp): boolean {
  return stamp.endsWith(ABSENT)
}

/** Whether the stamp taken at `now` (ms since the epoch) is old enough to tell a later write from an earlier one. */
export function isSettled(stamp: Stamp, now: number): boolean {
  return [...stamp.matchAll(/c(\d+)/g)].every(
    ([, ctimeNs = '0']) => BigInt(now) - BigInt(ctimeNs) / 1_000_000n > SETTLED_MS,
  )
}

function stampOfStats({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): Stamp {
  return `${dev}:${ino}:${size}:m${mtimeNs}:c${ctimeNs}`
}
