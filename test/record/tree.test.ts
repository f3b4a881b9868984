import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { keccak256 } from '../../src/record/hash.ts'
import { inclusionPath, rootFromPath, rootOf } from '../../src/record/tree.ts'

const leaf = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex)
const someLeaves = fc.uniqueArray(leaf, { minLength: 1, maxLength: 40 })
const placed = someLeaves.chain((leaves) =>
  fc.record({ leaves: fc.constant(leaves), index: fc.nat({ max: leaves.length - 1 }) }),
)

describe('rootOf', () => {
  it('refuses an empty tree', () => {
    assert.throws(() => rootOf([]), RangeError)
  })

  it('is the leaf alone for one leaf', () => {
    fc.assert(fc.property(leaf, (only) => rootOf([only]) === only))
  })
})

describe('inclusionPath', () => {
  it('refuses an index outside the tree', () => {
    for (const index of [-1, 3, 0.5, Number.NaN]) assert.throws(() => inclusionPath(leavesOf(3), index), RangeError)
  })
})

describe('rootFromPath', () => {
  it('leads every leaf to the root', () => {
    fc.assert(
      fc.property(placed, ({ leaves, index }) => {
        assert.equal(
          rootFromPath(leaves[index] ?? '0x', index, leaves.length, inclusionPath(leaves, index)),
          rootOf(leaves),
        )
      }),
    )
  })

  it('leads another leaf, or the leaf at another index, elsewhere', () => {
    fc.assert(
      fc.property(placed, leaf, fc.nat({ max: 40 }), ({ leaves, index }, stranger, elsewhere) => {
        const path = inclusionPath(leaves, index)
        const mine = leaves[index] ?? '0x'
        if (stranger !== mine) assert.notEqual(rootFromPath(stranger, index, leaves.length, path), rootOf(leaves))
        if (elsewhere !== index) assert.notEqual(rootFromPath(mine, elsewhere, leaves.length, path), rootOf(leaves))
      }),
    )
  })

  it('leads an altered path elsewhere', () => {
    fc.assert(
      fc.property(placed, fc.nat(), fc.nat({ max: 255 }), ({ leaves, index }, which, bit) => {
        const path = inclusionPath(leaves, index)
        fc.pre(path.length > 0)
        const altered = path.map((node, i) => (i === which % path.length ? flip(node, bit) : node))
        assert.notEqual(rootFromPath(leaves[index] ?? '0x', index, leaves.length, altered), rootOf(leaves))
      }),
    )
  })

  it('refuses a path of another length', () => {
    fc.assert(
      fc.property(placed, leaf, ({ leaves, index }, extra) => {
        const path = inclusionPath(leaves, index)
        const mine = leaves[index] ?? '0x'
        assert.equal(rootFromPath(mine, index, leaves.length, [...path, extra]), undefined)
        if (path.length > 0) assert.equal(rootFromPath(mine, index, leaves.length, path.slice(1)), undefined)
      }),
    )
  })

  it('refuses an index outside the tree, and siblings that are not 32 bytes of lower-case hexadecimal', () => {
    const leaves = leavesOf(4)
    const [mine = '0x'] = leaves
    const [first = '0x', second = '0x'] = inclusionPath(leaves, 0)
    for (const index of [-1, 4, 0.5]) assert.equal(rootFromPath(mine, index, 4, [first, second]), undefined)
    assert.equal(rootFromPath(mine, 0, 0.5, []), undefined)
    const upper = `0x${second.slice(2).toUpperCase()}`
    for (const bad of ['0x', '0x00', `${second}00`, upper] as Hex[]) {
      assert.equal(rootFromPath(mine, 0, 4, [first, bad]), undefined)
    }
  })

  it('takes a path of the right length alone for the largest count and index', () => {
    const count = 2 ** 32 - 1
    const [only, sibling] = [1, 2].map((byte) => toHex(new Uint8Array(32).fill(byte))) as [Hex, Hex]
    for (const index of [0, 2 ** 31, count - 2]) {
      assert.equal(rootFromPath(only, index, count, [sibling]), undefined)
      assert.notEqual(rootFromPath(only, index, count, Array<Hex>(32).fill(sibling)), undefined)
    }
  })
})

function leavesOf(count: number): readonly Hex[] {
  return [...Array(count).keys()].map((i) => keccak256(Uint8Array.of(i)))
}

function flip(node: Hex, bit: number): Hex {
  return `0x${(BigInt(node) ^ (1n << BigInt(bit))).toString(16).padStart(64, '0')}`
}
