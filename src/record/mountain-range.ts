import type { Hex } from '../core/bytes.ts'
import type { InclusionPath } from './tree.ts'
import { parent } from './tree.ts'

/**
 * An append-only tree that keeps its peaks alone: at each height the root of the last complete subtree of 2^height leaves. Those at
 * heights whose bit is set in `size` make up the range; others are spent (docs/formats.md, "Batches of a host").
 */
export interface MountainRange {
  readonly size: number
  readonly peaks: readonly Hex[]
}

export const EMPTY_RANGE: MountainRange = { size: 0, peaks: [] }

/** The range with one leaf more. */
export function append({ size, peaks }: MountainRange, leaf: Hex): MountainRange {
  let node = leaf
  let height = 0
  for (; (size >>> height) & 1; height++) node = parent(peakAt(peaks, height), node)
  const next = [...peaks]
  next[height] = node
  return { size: size + 1, peaks: next }
}

/** The path from leaf `index` of these up to its peak. @throws RangeError for an index outside */
export function pathToPeak(leaves: readonly Hex[], index: number): InclusionPath {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) throw new RangeError(`no leaf ${index}`)
  const height = heightOf(index, leaves.length)
  const first = (index >>> height) << height
  let level = leaves.slice(first, first + 2 ** height)
  const path: Hex[] = []
  for (let at = index - first; level.length > 1; at >>>= 1) {
    path.push(peakAt(level, at ^ 1))
    level = level.flatMap((left, i) => (i % 2 === 0 ? [parent(left, peakAt(level, i + 1))] : []))
  }
  return path
}

/** Whether a leaf is number `index` of the range. @param path untrusted */
export function isInRange({ size, peaks }: MountainRange, index: number, leaf: Hex, path: InclusionPath): boolean {
  if (!Number.isInteger(index) || index < 0 || index >= size) return false
  const height = heightOf(index, size)
  if (path.length !== height || !path.every((node) => /^0x[0-9a-f]{64}$/.test(node))) return false
  const top = path.reduce(
    (node, sibling, i) => ((index >>> i) & 1 ? parent(sibling, node) : parent(node, sibling)),
    leaf,
  )
  return top === peaks[height]
}

/** The leaf's subtree stands at the highest bit in which its number and the size differ. */
function heightOf(index: number, size: number): number {
  return 31 - Math.clz32(index ^ size)
}

function peakAt(nodes: readonly Hex[], index: number): Hex {
  const node = nodes[index]
  if (node === undefined) throw new RangeError(`no node ${index}`)
  return node
}
