import { cpus, totalmem } from 'node:os'
import { table } from '../../src/cli/output.ts'

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
  /** What is wanted, or null where nothing was set. */
  readonly goal: number | null
  /** Of what the goal is: of the ratio, or of the value itself, in its unit. */
  readonly goalOf: 'ratio' | 'value'
  /** Whether the goal is the most or the least that is wanted. */
  readonly wanted: Wanted
  readonly met: boolean | null
}

export type Wanted = 'at most' | 'at least'

/** What a suite comes to. */
export interface SuiteResult {
  /** For `--json`. */
  readonly rows: readonly object[]
  /** The same as a table, and what is wrong with it. */
  readonly text: string
  readonly ok: boolean
}

/** A suite that compares timings: it passes where every goal is met. */
export function ratioResult(rows: readonly BenchRow[]): SuiteResult {
  const lines = rows.map((row) => [
    row.name,
    `${row.value.toFixed(2)} ${row.unit} ±${percent(row.spread)}`,
    row.reference.name,
    `${row.reference.value.toFixed(2)} ${row.unit} ±${percent(row.reference.spread)}`,
    row.ratio.toFixed(2),
    goalText(row),
  ])
  const text = table([['what', 'median', 'reference', 'median', 'ratio', 'goal'], ...lines])
  return { rows, text, ok: rows.every(({ met }) => met !== false) }
}

const SIGNS: Readonly<Record<Wanted, string>> = { 'at most': '≤', 'at least': '≥' }

function goalText({ goal, goalOf, unit, wanted, met }: BenchRow): string {
  if (goal === null) return '–'
  return `${SIGNS[wanted]} ${goal}${goalOf === 'value' ? ` ${unit}` : ''} ${met === true ? 'met' : 'NOT met'}`
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`
}

/** Makes a row from rounds that were measured in turn with their reference's. */
export function rowOf(
  name: string,
  unit: string,
  rounds: readonly number[],
  reference: { readonly name: string; readonly rounds: readonly number[] },
  goal: number | null,
  wanted: Wanted = 'at most',
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
    goalOf: 'ratio',
    wanted,
    met: goal === null ? null : wanted === 'at most' ? ratio <= goal : ratio >= goal,
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
