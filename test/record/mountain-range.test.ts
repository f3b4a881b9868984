import assert from 'node:assert/strict'
import { keccak256 } from '../../src/record/hash.ts'
import { append, EMPTY_RANGE, isInRange, pathToPeak, type MountainRange } from '../../src/record/mountain-range.ts'
import { rootOf } from '../../src/record/tree.ts'

const leaves = Array.from({ length: 34 }, (_, i) => keccak256(Uint8Array.of(i)))

function rangeOf(size: number): MountainRange {
  return leaves.slice(0, size).reduce(append, EMPTY_RANGE)
}

describe('append', () => {
  it('keeps at each set bit of the size the root of that many leaves', () => {
    for (let size = 1; size <= leaves.length; size++) {
      const { peaks } = rangeOf(size)
      let end = 0
      for (let height = 31; height >= 0; height--) {
        if (!((size >>> height) & 1)) continue
        assert.equal(peaks[height], rootOf(leaves.slice(end, end + 2 ** height)), `${size}, height ${height}`)
        end += 2 ** height
      }
    }
  })
})

describe('isInRange', () => {
  it('takes every leaf with its path, at its place alone', () => {
    for (let size = 1; size <= leaves.length; size++) {
      const range = rangeOf(size)
      for (let index = 0; index < size; index++) {
        const leaf = leaves[index] ?? '0x'
        const path = pathToPeak(leaves.slice(0, size), index)
        assert.ok(isInRange(range, index, leaf, path), `${index} of ${size}`)
        for (const other of [index - 1, index + 1, index ^ 2, size]) {
          assert.ok(!isInRange(range, other, leaf, path), `${index} as ${other} of ${size}`)
        }
      }
    }
  })

  it('refuses a path that is too long, too short, or of another leaf', () => {
    const range = rangeOf(13)
    const path = pathToPeak(leaves.slice(0, 13), 9)
    const leaf = leaves[9] ?? '0x'
    assert.ok(isInRange(range, 9, leaf, path))
    assert.ok(!isInRange(range, 9, leaf, path.slice(1)))
    assert.ok(!isInRange(range, 9, leaf, [...path, leaf]))
    assert.ok(!isInRange(range, 9, leaf, ['0x00', ...path.slice(1)]))
    assert.ok(!isInRange(range, 9, leaves[10] ?? '0x', path))
    assert.ok(!isInRange(range, 1.5, leaf, path))
  })
})

describe('pathToPeak', () => {
  it('refuses an index outside', () => {
    assert.throws(() => pathToPeak(leaves, 34), RangeError)
    assert.throws(() => pathToPeak(leaves, -1), RangeError)
  })
})
