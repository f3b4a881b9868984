import assert from 'node:assert/strict'
import { fuzz, type FuzzReport } from '../../hil/fuzz/fuzz.ts'
import { mutate, randomNumbers } from '../../hil/fuzz/mutate.ts'
import { TARGETS } from '../../hil/fuzz/targets.ts'
import { TcgError } from '../../src/tcg/error.ts'

const hits = { counts: new Uint8Array(8), used: () => 8 }
const seeds = [Uint8Array.of(1, 2, 3, 4)]
const limits = { runs: 5000, seconds: 20, seed: 1, trying: () => undefined }

/** A decoder that refuses most, and does something else with what begins with 9. */
const run = (wrong: (bytes: Uint8Array) => unknown): FuzzReport =>
  fuzz(
    {
      seeds,
      decode: (bytes) => {
        if (bytes[0] === 9) return wrong(bytes)
        throw new TcgError('MALFORMED', 'expected a 9')
      },
    },
    hits,
    limits,
  )

/** Takes so long of this thread's own time. */
function work(ms: number): void {
  const begin = process.threadCpuUsage().user
  while (process.threadCpuUsage().user - begin < 1000 * ms);
}

describe('fuzz', function () {
  // On a busy machine the thread gets a part of the time.
  this.timeout(30_000)

  it('finds nothing wrong with typed errors', () => {
    const { runs, fault, accepted } = run(() => 'fine')
    assert.deepEqual([runs, fault], [limits.runs, undefined])
    assert.ok(accepted > 0)
  })

  const faults: Readonly<Record<string, readonly [(bytes: Uint8Array) => unknown, RegExp]>> = {
    'an error that is not typed': [
      () => {
        throw new RangeError('out of bounds')
      },
      /not a typed error: RangeError/,
    ],
    'a changed input': [(bytes) => bytes.reverse(), /input was changed/],
    'a slow input': [() => work(1100), /took \d{4} ms/],
  }
  for (const [what, [wrong, message]] of Object.entries(faults)) {
    it(`finds ${what}`, () => assert.match(run(wrong).fault?.message ?? '', message))
  }

  it('lets nobody be slow because the machine is', () => {
    const held = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1100)
    const { fault } = fuzz({ seeds, decode: held }, hits, { ...limits, runs: 3 })
    assert.equal(fault, undefined)
  })

  it('finds an allocation that has nothing to do with the input', () => {
    const report = fuzz(
      { seeds, decode: () => new Uint8Array(8 * 1024 * 1024) },
      { ...hits, used: () => 0 },
      { ...limits, runs: 1024 },
    )
    assert.match(report.fault?.message ?? '', /allocated \d+ times its input/)
  })

  it('begins with inputs that each target takes', () => {
    for (const [name, { decode, seeds: inputs }] of Object.entries(TARGETS)) {
      assert.ok(inputs.length > 0, name)
      for (const input of inputs) assert.doesNotThrow(() => decode(input), name)
    }
  })

  it('mutates the same way from the same seed, and never the input itself', () => {
    const input = Uint8Array.from({ length: 64 }, (_, i) => i)
    const [a, b] = [1, 1].map((seed) => {
      const random = randomNumbers(seed)
      return Array.from({ length: 100 }, () => mutate(input, input, random))
    })
    assert.deepEqual(a, b)
    assert.deepEqual(
      input,
      Uint8Array.from({ length: 64 }, (_, i) => i),
    )
  })
})
