import { table } from '../../src/cli/output.ts'
import { engineSuite } from './engine.ts'
import { machine, type BenchReport, type BenchSuite } from './suite.ts'

const suites: Readonly<Record<string, BenchSuite>> = { engine: engineSuite }

const usage = `npm run bench -- SUITE [--json]
Measures a suite's figures beside their references, in turn, in one run. Suites: ${Object.keys(suites).join(', ')}.
Example: npm run -s bench -- engine --json`

const args = process.argv.slice(2)
const json = args.includes('--json')
const [name, ...rest] = args.filter((arg) => arg !== '--json')
const suite = name === undefined ? undefined : suites[name]
if (args.includes('--help')) {
  console.log(usage)
} else if (name === undefined || suite === undefined || rest.length > 0) {
  console.error(usage)
  process.exitCode = 2
} else {
  const rows = await suite((text) => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`))
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
  const report: BenchReport = { suite: name, machine: machine(), rows }
  console.log(json ? JSON.stringify(report, null, 2) : text(report))
  if (rows.some(({ met }) => met === false)) process.exitCode = 1
}

function text(report: BenchReport): string {
  const lines = report.rows.map((row) => [
    row.name,
    `${row.value.toFixed(2)} ${row.unit} ±${percent(row.spread)}`,
    row.reference.name,
    `${row.reference.value.toFixed(2)} ${row.unit} ±${percent(row.reference.spread)}`,
    row.ratio.toFixed(2),
    row.goal === null ? '–' : `≤ ${row.goal} ${row.met === true ? 'met' : 'NOT met'}`,
  ])
  return `${report.suite} on ${report.machine}\n\n${table([['what', 'median', 'reference', 'median', 'ratio', 'goal'], ...lines])}`
}

function percent(part: number): string {
  return `${(part * 100).toFixed(0)} %`
}
