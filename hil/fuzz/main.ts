import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { table } from '../../src/cli/output.ts'
import { messageOf } from '../../src/core/error.ts'
import type { FuzzReport } from './fuzz.ts'
import { MAX_INPUT } from './mutate.ts'
import { TARGETS } from './targets.ts'

const usage = `npm run fuzz -- [--runs N] [--seconds S] [--target NAME] [--seed N]

Coverage-guided fuzzing of every decoder of untrusted bytes. Refusals must be
typed errors; nothing may hang, change its input, or allocate more than 16
times the input. --runs is for each target (default 10,000,000), --seconds is
shared by all of them. What fails is kept in build/fuzz/.

Targets: ${Object.keys(TARGETS).join(', ')}
Example: npm run fuzz -- --seconds 60`

/** A worker that has tried nothing new for so long hangs. */
const HANG_MS = 60_000
const HEAP_MB = 1024
const HEAD = 8
const KEPT = 'build/fuzz'

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '10000000' },
    seconds: { type: 'string', default: 'Infinity' },
    target: { type: 'string' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})
const names = values.target === undefined ? Object.keys(TARGETS) : [values.target]
const [runs, seconds, seed] = [Number(values.runs), Number(values.seconds), Number(values.seed)]

if (values.help) {
  console.log(usage)
} else if (!(runs > 0 && seconds > 0 && Number.isInteger(seed)) || names.some((name) => !(name in TARGETS))) {
  console.error(usage)
  process.exitCode = 2
} else {
  const rows = [['target', 'runs', 'a second', 'accepted', 'corpus', 'places', 'allocation', 'slowest', '']]
  for (const name of names) {
    const begin = performance.now()
    const report = await fuzzApart(name, seconds / names.length)
    const rate = report.runs / ((performance.now() - begin) / 1000)
    const { accepted, corpus, places, allocation, slowestMs, fault } = report
    const figures = [report.runs, Math.round(rate), accepted, corpus, places].map(String)
    const kept = fault === undefined ? 'ok' : `FAULT: ${fault.message}; ${keep(name, fault.input)}`
    rows.push([name, ...figures, `${allocation.toFixed(1)} ×`, `${slowestMs.toFixed(0)} ms`, kept])
    if (fault !== undefined) process.exitCode = 1
    if (process.stderr.isTTY) process.stderr.write(`${name} done\n`)
  }
  console.log(table(rows))
}

/** Fuzzes a target in a worker that is ended where it hangs, and whose memory is bounded. */
function fuzzApart(target: string, share: number): Promise<FuzzReport> {
  const underWay = new SharedArrayBuffer(HEAD + MAX_INPUT)
  const head = new Int32Array(underWay, 0, 2)
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: { target, runs, seconds: share, seed, underWay },
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  })
  return new Promise((resolve) => {
    const failed = (message: string) => {
      const input = Uint8Array.from(new Uint8Array(underWay, HEAD, Math.min(MAX_INPUT, head[1] ?? 0)))
      const none = { corpus: 0, accepted: 0, places: 0, allocation: 0, slowestMs: 0 }
      end({ runs: head[0] ?? 0, ...none, fault: { message, input } })
    }
    let [tried, since] = [0, performance.now()]
    const watch = setInterval(() => {
      const now = Atomics.load(head, 0)
      if (now !== tried) [tried, since] = [now, performance.now()]
      else if (performance.now() - since > HANG_MS) failed(`hangs for ${HANG_MS} ms`)
    }, 500)
    const end = (report: FuzzReport) => {
      clearInterval(watch)
      void worker.terminate()
      resolve(report)
    }
    worker.on('message', end)
    worker.on('error', (error) => failed(messageOf(error)))
  })
}

function keep(target: string, input: Uint8Array): string {
  mkdirSync(KEPT, { recursive: true })
  const path = join(KEPT, `${target}-${Date.now()}`)
  writeFileSync(path, input)
  return path
}
