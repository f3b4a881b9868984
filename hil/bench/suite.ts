import { cpus, totalmem } from 'node:os'

/** One figure beside its reference, both measured in the same run. */
export interface BenchRow {
  readonly name: string
  /** Median over the rounds. */
  readonly value: number
  /** Half the distance between the smallest and the largest round, as a part of the median. */
  readonly spread: number
  readonly unit: string
  /** What it is compared with, and that one's median. */
  readonly reference: { readonly name: string; readonly value: number; readonly spread: number }
  /** value / reference. */
  readonly ratio: number
  /** The ratio that is wanted at most, or null where none was set. */
  readonly goal: number | null
  readonly met: boolean | null
}

/** What a suite prints. */
export interface BenchReport {
  readonly suite: string
  readonly machine: string
  readonly rows: readonly BenchRow[]
}

/** A suite: measures, and says on the way what it does. */
export type BenchSuite = (say: (text: string) => void) => Promise<readonly BenchRow[]>

/** Makes a row from rounds that were measured in turn with their reference's. */
export function rowOf(
  name: string,
  unit: string,
  rounds: readonly number[],
  reference: { readonly name: string; readonly rounds: readonly number[] },
  goal: number | null,
): BenchRow {
  const value = median(rounds)
  const ratio = value / median(reference.rounds)
  return {
    name,
    value,
    spread: spread(rounds),
    unit,
    reference: { name: reference.name, value: median(reference.rounds), spread: spread(reference.rounds) },
    ratio,
    goal,
    met: goal === null ? null : ratio <= goal,
  }
}

/** The machine in a few words, for the report. */
export function machine(): string {
  const [cpu] = cpus()
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1]
  const lower = sorted[(sorted.length - 1) >> 1]
  if (upper === undefined || lower === undefined) throw new RangeError('no values')
  return (upper + lower) / 2
}

function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values)
}
