import { parentPort, workerData } from 'node:worker_threads'
import { instrumentSources } from './instrument.ts'
import { MAX_INPUT } from './mutate.ts'

/** What a worker is told. */
export interface FuzzOrder {
  readonly target: string
  readonly runs: number
  readonly seconds: number
  readonly seed: number
  /** A count of inputs tried, the length of the one under way, and its bytes: still there when the worker is not. */
  readonly underWay: SharedArrayBuffer
}

/** Bytes of the count and the length. */
const HEAD = 8

const order = workerData as FuzzOrder
const hits = instrumentSources()
const [{ fuzz }, { TARGETS }] = await Promise.all([import('./fuzz.ts'), import('./targets.ts')])
const target = TARGETS[order.target]
if (target === undefined) throw new RangeError(`there is no target ${order.target}`)
const head = new Int32Array(order.underWay, 0, 2)
const body = new Uint8Array(order.underWay, HEAD)

parentPort?.postMessage(
  fuzz(target, hits, {
    ...order,
    trying: (input) => {
      body.set(input.length > MAX_INPUT ? input.subarray(0, MAX_INPUT) : input)
      head[1] = input.length
      Atomics.add(head, 0, 1)
    },
  }),
)
