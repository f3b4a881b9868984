import { concat, fromHex, type Hex } from '../core/bytes.ts'
import { keccak256 } from './hash.ts'

/** An inclusion path: the siblings from the leaf up (RFC 9162, section 2.1.3). */
export type InclusionPath = readonly Hex[]

/**
 * The root of the tree over some leaves. Joining neighbours level by level, an odd one going up as it is, gives the shape of
 * RFC 9162, section 2.1.1.
 *
 * @throws RangeError for no leaves
 */
export function rootOf(leaves: readonly Hex[]): Hex {
  let level = leaves
  while (level.length > 1) level = parents(level)
  if (level[0] === undefined) throw new RangeError('a tree has at least one leaf')
  return level[0]
}

/** The path that proves the leaf at `index`. @throws RangeError for an index outside */
export function inclusionPath(leaves: readonly Hex[], index: number): InclusionPath {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) throw new RangeError(`no leaf ${index}`)
  const path: Hex[] = []
  let level = leaves
  for (let at = index; level.length > 1; at >>= 1, level = parents(level)) {
    const sibling = level[at ^ 1]
    if (sibling !== undefined) path.push(sibling)
  }
  return path
}

/**
 * The root that a path leads to from a leaf; the proof holds where it is the trusted one.
 *
 * @param path untrusted
 * @returns undefined where the path's length does not fit the position
 */
export function rootFromPath(leaf: Hex, index: number, count: number, path: InclusionPath): Hex | undefined {
  if (!Number.isInteger(index) || !Number.isInteger(count) || index < 0 || index >= count) return undefined
  let node = leaf
  let used = 0
  // No bit operations: a count has 32 bits, and one more than the highest would be none.
  for (let at = index, width = count; width > 1; at = Math.floor(at / 2), width = Math.ceil(width / 2)) {
    const isRight = at % 2 === 1
    if (!isRight && at + 1 >= width) continue
    const sibling = path[used++]
    if (sibling === undefined || !/^0x[0-9a-f]{64}$/.test(sibling)) return undefined
    node = isRight ? parent(sibling, node) : parent(node, sibling)
  }
  return used === path.length ? node : undefined
}

function parents(level: readonly Hex[]): readonly Hex[] {
  const above: Hex[] = []
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = [level[i], level[i + 1]]
    if (left !== undefined) above.push(right === undefined ? left : parent(left, right))
  }
  return above
}

/** The node above two: `keccak256(0x01 ‖ left ‖ right)`. */
export function parent(left: Hex, right: Hex): Hex {
  return keccak256(concat(Uint8Array.of(1), fromHex(left, 32), fromHex(right, 32)))
}
