import assert from 'node:assert/strict'
import { withLock } from '../../src/vmm/lock.ts'

describe('withLock', () => {
  it('waits for whoever works on the same path, and says what it was told to where that takes too long', async () => {
    const path = `lock-test-${process.pid}`
    const { promise, resolve } = Promise.withResolvers<string>()
    const first = withLock(path, () => promise)
    const why = `another process has been working on ${path} for 30 ms`
    await assert.rejects(
      withLock(path, () => promise, { patienceMs: 30 }),
      { code: 'LOG_BUSY', message: why },
    )
    const busy = (text: string): Error => new RangeError(text)
    await assert.rejects(
      withLock(path, () => promise, { patienceMs: 30, busy }),
      { name: 'RangeError', message: why },
    )
    const second = withLock(path, () => Promise.resolve('second'))
    resolve('first')
    assert.deepEqual(await Promise.all([first, second]), ['first', 'second'])
  })
})
