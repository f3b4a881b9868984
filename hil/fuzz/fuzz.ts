import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { CodedError, messageOf } from '../../src/core/error.ts'
import type { Hits } from './instrument.ts'
import { mutate, randomNumbers } from './mutate.ts'
import type { FuzzTarget } from './targets.ts'

/** What fuzzing one target came to. */
export interface FuzzReport {
  readonly runs: number
  /** Inputs that went where none went before. */
  readonly corpus: number
  /** How many were accepted. */
  readonly accepted: number
  readonly places: number
  /** The most that an input allocated, as a multiple of its length, without what decoding costs in any case. */
  readonly allocation: number
  readonly slowestMs: number
  readonly fault?: { readonly message: string; readonly input: Uint8Array }
}

export interface FuzzLimits {
  readonly runs: number
  readonly seconds: number
  readonly seed: number
  /** Called with each input before it is tried: what is under way when nothing comes back. */
  readonly trying: (input: Uint8Array) => void
}

/** What counts as nothing, in bytes: of what is held afterwards, and of what is gone with it: stack traces, messages, code. */
const BASE = { held: 64 * 1024, passing: 4 * 1024 * 1024 } as const
const MAX_ALLOCATION = 16
const MAX_MS = 1000
const MEASURE_EVERY = 256
const TRIES = 2
const HELD_INPUTS = 2

/** Feeds a decoder with inputs that lead further and further into it, until a bound or a fault. */
export function fuzz(target: FuzzTarget, hits: Hits, limits: FuzzLimits): FuzzReport {
  const random = randomNumbers(limits.seed)
  const corpus: Uint8Array[] = []
  const seen = new Uint8Array(hits.counts.length)
  const end = performance.now() + 1000 * limits.seconds
  let [runs, accepted, allocation, slowestMs] = [0, 0, 0, 0]

  const attempt = (input: Uint8Array): string | undefined => {
    limits.trying(input)
    hits.counts.fill(0, 0, hits.used())
    const copy = Uint8Array.from(input)
    const begin = performance.now()
    try {
      target.decode(copy)
      accepted++
    } catch (error) {
      if (!(error instanceof CodedError) && !(target.anyError && error instanceof Error)) {
        return `not a typed error: ${error instanceof Error ? `${error.name}: ` : ''}${messageOf(error)}`
      }
    }
    const tookMs = performance.now() - begin
    // On a busy machine any input may be held up: what counts is what it takes again, of this thread's own time.
    const ownMs = tookMs > MAX_MS ? ownTime(target, input) : tookMs
    slowestMs = Math.max(slowestMs, ownMs)
    if (ownMs > MAX_MS) return `took ${ownMs.toFixed(0)} ms`
    if (!Buffer.from(copy.buffer).equals(input)) return 'the input was changed'
    return undefined
  }
  const measured = (input: Uint8Array, kind: 'held' | 'passing'): string | undefined => {
    if (input.length === 0) return undefined
    // What the compiler allocates in between is not the decoder's: the least counts.
    const costs = Array.from({ length: TRIES }, () => (kind === 'held' ? heldBy : passingThrough)(target, input))
    const times = (Math.min(...costs) - BASE[kind]) / input.length
    allocation = Math.max(allocation, times)
    return times > MAX_ALLOCATION ? `allocated ${times.toFixed(0)} times its input (${kind})` : undefined
  }
  const report = (fault?: FuzzReport['fault']): FuzzReport => {
    const places = seen.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0)
    const base = { runs, corpus: corpus.length, accepted, places, allocation, slowestMs }
    return fault === undefined ? base : { ...base, fault }
  }

  const queue = [...target.seeds]
  while (runs < limits.runs && ((runs & 63) !== 0 || performance.now() < end)) {
    const pick = () => corpus[random(corpus.length)] ?? new Uint8Array()
    const seed = queue.shift()
    const input = seed ?? mutate(pick(), pick(), random)
    runs++
    const fault = attempt(input)
    if (fault !== undefined) return report({ message: fault, input })
    const isNew = isFurther(hits, seen) || seed !== undefined
    if (isNew) corpus.push(input)
    if (isNew || runs % MEASURE_EVERY === 0) {
      const excess = measured(input, 'passing')
      if (excess !== undefined) return report({ message: excess, input })
    }
  }
  // Collecting takes longer than thousands of runs: only for the largest inputs, and once.
  for (const input of corpus.sort((a, b) => b.length - a.length).slice(0, HELD_INPUTS)) {
    const excess = measured(input, 'held')
    if (excess !== undefined) return report({ message: excess, input })
  }
  return report()
}

/** Whether some place was passed, or passed more often by a power of two, that never was; notes it. */
function isFurther({ counts, used }: Hits, seen: Uint8Array): boolean {
  let further = false
  for (let i = 0, end = used(); i < end; i++) {
    const count = counts[i] ?? 0
    if (count === 0) continue
    const bit = 1 << (31 - Math.clz32(count))
    if (((seen[i] ?? 0) & bit) !== 0) continue
    seen[i] = (seen[i] ?? 0) | bit
    further = true
  }
  return further
}

/** How long this thread itself works on an input, in ms. */
function ownTime({ decode }: FuzzTarget, input: Uint8Array): number {
  const copy = Uint8Array.from(input)
  const before = process.threadCpuUsage()
  try {
    decode(copy)
  } catch {
    // Judged already.
  }
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

/** What one run allocated, in bytes, whether it is still needed or not; less where a collection came in between. */
function passingThrough({ decode }: FuzzTarget, input: Uint8Array): number {
  const copy = Uint8Array.from(input)
  const before = usedMemory()
  try {
    decode(copy)
  } catch {
    // Judged already.
  }
  return usedMemory() - before
}

/** What a result holds, in bytes. */
function heldBy({ decode }: FuzzTarget, input: Uint8Array): number {
  const copy = Uint8Array.from(input)
  collect()
  const before = usedMemory()
  let result: unknown
  try {
    result = decode(copy)
  } catch {
    // Judged already.
  }
  collect()
  const held = usedMemory() - before
  // Named here, so that it lives until here.
  return result === undefined ? 0 : held
}

function usedMemory(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
