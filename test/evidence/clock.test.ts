import assert from 'node:assert/strict'
import { compareClock } from '../../src/evidence/clock.ts'

const clock = (resetCount: number, restartCount: number, ms: bigint, safe = true) => ({
  clock: ms,
  resetCount,
  restartCount,
  safe,
})

describe('compareClock', () => {
  it('orders by resets, then restarts, then milliseconds', () => {
    const ascending = [
      clock(0, 0, 2n ** 64n - 1n),
      clock(0, 1, 0n),
      clock(0, 2 ** 32 - 1, 5n),
      clock(1, 0, 0n),
      clock(1, 0, 1n),
      clock(1, 0, 2n ** 63n),
      clock(1, 0, 2n ** 63n + 1n),
      clock(2 ** 32 - 1, 0, 0n),
    ]
    ascending.forEach((a, i) => {
      ascending.forEach((b, j) => assert.equal(Math.sign(compareClock(a, b)), Math.sign(i - j), `${i} and ${j}`))
    })
  })

  it('finds a replay equal, whether the clock is safe or not', () => {
    assert.equal(compareClock(clock(1, 2, 3n), clock(1, 2, 3n, false)), 0)
  })
})
