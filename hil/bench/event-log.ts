import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { replayEventLog } from '../../src/tcg/event-log-replay.ts'
import { rowOf, type BenchRow } from './suite.ts'

const ROUNDS = 7
const ROUND_MS = 300
const LOGS = [
  { capture: '01-ovmf-baseline', goal: 15_000 },
  { capture: '04-ovmf-secureboot-shim-grub', goal: 8_000 },
] as const

/**
 * Parsing and replaying firmware logs, one bank (SHA-256), beside `tpm2_eventlog` on the same file, in turn. The goals are about half of what Go's
 * go-attestation reaches.
 *
 * @throws Error where tpm2_eventlog is not there or refuses the file
 */
export function eventLogRows(say: (text: string) => void): readonly BenchRow[] {
  return LOGS.map(({ capture, goal }) => {
    const path = fileURLToPath(new URL(`../../test/vectors/tpm/${capture}/binary_bios_measurements`, import.meta.url))
    const bytes = new Uint8Array(readFileSync(path))
    const here = () => void replayEventLog(parseEventLog(bytes), 'sha256')
    const tool = () => {
      const { status, error } = spawnSync('tpm2_eventlog', [path], { stdio: 'ignore' })
      if (status !== 0) throw new Error(`tpm2_eventlog ended with ${status ?? 'no status'}`, { cause: error })
    }
    rate(here)
    const [ours, theirs]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      say(`firmware log of ${capture}, round ${round + 1} of ${ROUNDS}`)
      ours.push(rate(here))
      theirs.push(rate(tool))
    }
    const reference = { name: 'tpm2_eventlog, started for each', rounds: theirs }
    const row = rowOf(`firmware log ${capture}: parse + replay, SHA-256`, '/s', ours, reference, null)
    return { ...row, goal, goalOf: 'value', wanted: 'at least', met: row.value >= goal }
  })
}

/** How often something runs in a second. */
function rate(work: () => void): number {
  const begin = performance.now()
  let count = 0
  let elapsed = 0
  while (elapsed < ROUND_MS) {
    work()
    count++
    elapsed = performance.now() - begin
  }
  return (count * 1000) / elapsed
}
