import { concat } from '../../src/core/bytes.ts'
import { digest } from '../../src/tcg/hash.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { matchIma, replayIma, startIma } from '../../src/tcg/ima-replay.ts'
import { rowOf, type BenchRow } from './suite.ts'

const [SMALL, LARGE, ROUNDS] = [10_000, 100_000, 5]
/** What is wanted: the large log within a second, and at most 11 times the small one's time. */
const [GOAL_SECONDS, GOAL_LINEAR] = [1, 11]

/**
 * Rows for reading an IMA log of 100,000 entries (template ima-ng) and finding the line at which it reaches PCR 10 of the SHA-256
 * bank: in seconds beside one second, and beside a log of a tenth of it.
 *
 * @param say told what goes on
 */
export function imaLogRows(say: (text: string) => void): readonly BenchRow[] {
  const [small, large] = [SMALL, LARGE].map(prepared)
  if (small === undefined || large === undefined) throw new RangeError('no logs')
  const [smallRounds, largeRounds]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    say(`IMA log, round ${round + 1} of ${ROUNDS}`)
    smallRounds.push(small())
    largeRounds.push(large())
  }
  const name = `IMA log of ${LARGE} entries, parsed and replayed`
  return [
    rowOf(name, 's', largeRounds, { name: 'one second', rounds: [1] }, GOAL_SECONDS),
    rowOf(name, 's', largeRounds, { name: `of ${SMALL} entries`, rounds: smallRounds }, GOAL_LINEAR),
  ]
}

/** A log, and how long it takes to parse it and find its line, in seconds. */
function prepared(count: number): () => number {
  const log = concat(...Array.from({ length: count }, (_, i) => entry(i)))
  const [series] = replayIma(decodeImaLog(log).entries, startIma(['sha256'])).series
  if (series === undefined) throw new RangeError('no replay')
  const expected = new Map([['sha256' as const, series.pcrs]])
  return () => {
    const begin = performance.now()
    const [match] = matchIma(decodeImaLog(log).entries, expected)
    if (match?.line !== count) throw new Error(`expected the line ${count}, found ${match?.line ?? 'none'}`)
    return (performance.now() - begin) / 1000
  }
}

function entry(i: number): Uint8Array {
  const text = (characters: string) => new TextEncoder().encode(characters)
  const field = (...parts: readonly Uint8Array[]) => {
    const bytes = concat(...parts)
    return concat(u32(bytes.length), bytes)
  }
  const name = i === 0 ? 'boot_aggregate' : `/usr/lib/x86_64-linux-gnu/lib${i}.so.6`
  const data = concat(field(text('sha256:\0'), digest('sha256', u32(i))), field(text(`${name}\0`)))
  return concat(u32(10), digest('sha1', data), field(text('ima-ng')), u32(data.length), data)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24)
}
