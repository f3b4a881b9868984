import { Command } from 'commander'
import { toHex } from '../core/bytes.ts'
import type { BankName, PcrValues } from '../tcg/bank.ts'
import { decodeAsciiImaLog, isAsciiImaLog } from '../tcg/ima-ascii.ts'
import { imaFindings, matchFindings, type ImaFinding } from '../tcg/ima-findings.ts'
import { decodeImaLog, isViolation, type ImaEntry, type ImaLog } from '../tcg/ima-log.ts'
import { readMeasurement } from '../tcg/ima-measurement.ts'
import { matchIma, replayIma, type ImaMatch, type ImaScheme, type ImaState } from '../tcg/ima-replay.ts'
import { pathText } from '../tcg/path-text.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import { readInput } from './context.ts'
import { EXIT } from './exit.ts'
import { Output, table } from './output.ts'

interface ImaOptions {
  readonly pcrs?: string
  readonly json?: boolean
}

/** `attestry ima`: what an IMA log says, and at which line it reaches a PCR. */
export function imaCommand(): Command {
  return new Command('ima')
    .argument('<file>', 'the log: binary_runtime_measurements, ascii_runtime_measurements, or one of a bank of its own')
    .option(
      '--pcrs <file>',
      'PCR values to compare with: tpm2_pcrread, tpm2_quote --pcr, sysfs lines, or attestry pcrs',
    )
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText(
      'after',
      '\nExample:\n  attestry ima /sys/kernel/security/ima/binary_runtime_measurements --pcrs pcrs.json',
    )
    .action(showLog)
}

function showLog(file: string, options: ImaOptions): void {
  const output = new Output(options.json === true)
  const bytes = readInput(file)
  const expected = options.pcrs === undefined ? undefined : parsePcrFile(readInput(options.pcrs))
  const form = isAsciiImaLog(bytes) ? 'ascii' : 'binary'
  const log = form === 'ascii' ? decodeAsciiImaLog(bytes) : decodeImaLog(bytes)
  const matches = expected === undefined ? [] : matchIma(log.entries, expected)
  const findings = [...imaFindings(log), ...(expected === undefined ? [] : matchFindings(log, expected, matches))]
  const state = replayIma(log.entries)
  const ok = expected === undefined || (matches.length > 0 && matches.every(({ line }) => line !== null))
  // Where one bank contradicts the log, no other covers it.
  const entries = log.entries.map((entry, index) =>
    entryJson(entry, index, expected === undefined ? undefined : ok && coveredBy(entry, index, matches)),
  )
  output.result(
    {
      ok,
      form,
      bank: log.bank,
      entries,
      pcrs: pcrsJson(state, 'hash'),
      paddedPcrs: pcrsJson(state, 'sha1-padded'),
      matches,
      findings,
    },
    text({ log, state, expected, matches, findings }),
  )
  if (!ok) process.exitCode = EXIT.refused
}

/** Whether a PCR's value covers an entry's data. */
function coveredBy(entry: ImaEntry, index: number, matches: readonly ImaMatch[]): boolean {
  return !isViolation(entry) && matches.some(({ pcr, line }) => pcr === entry.pcr && line !== null && index < line)
}

function entryJson(entry: ImaEntry, index: number, covered: boolean | undefined): object {
  const { pcr, template, digest, data } = entry
  const measurement = readMeasurement(template, data)
  const named =
    measurement === undefined
      ? { data: toHex(data) }
      : {
          digestType: measurement.digestType ?? null,
          algorithm: measurement.algorithm,
          fileDigest: toHex(measurement.digest),
          path: pathText(measurement.path),
          fields: Object.fromEntries(Array.from(measurement.rest, ([field, value]) => [field, toHex(value)])),
        }
  const base = { index, pcr, template, templateDigest: toHex(digest), violation: isViolation(entry) }
  return { ...base, covered: covered ?? null, ...named }
}

function pcrsJson({ series }: ImaState, scheme: ImaScheme): object {
  const banks = series.filter((one) => one.scheme === scheme)
  return Object.fromEntries(
    banks.map(({ bank, pcrs }) => [
      bank,
      Object.fromEntries(Array.from(pcrs, ([pcr, value]) => [String(pcr), toHex(value)])),
    ]),
  )
}

interface Shown {
  readonly log: ImaLog
  readonly state: ImaState
  readonly expected: ReadonlyMap<BankName, PcrValues> | undefined
  readonly matches: readonly ImaMatch[]
  readonly findings: readonly ImaFinding[]
}

const WIDTH = 80

function text({ log, state, expected, matches, findings }: Shown): string {
  const digits = String(log.entries.length).length
  const lines = log.entries.map((entry, i) => entryLine(entry, String(i).padStart(digits)))
  const pcrs = state.series.flatMap(({ bank, scheme, pcrs: values }) =>
    scheme === 'hash' ? Array.from(values, ([pcr, value]) => pcrLine(bank, pcr, value)) : [],
  )
  const found = matches.map(({ bank, pcr, line, scheme }) => [
    bank,
    `PCR ${pcr}`,
    line === null ? 'reached at no line' : `reached at line ${line} of ${log.entries.length}`,
    scheme === 'hash' ? '' : 'by padded SHA-1',
  ])
  const parts = [
    lines.join('\n'),
    pcrs.join('\n'),
    expected === undefined ? '' : table(found),
    findings
      .map(({ code, event, detail }) => cut(`${code}  ${event === null ? '' : `entry ${event}: `}${detail}`))
      .join('\n'),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function entryLine(entry: ImaEntry, index: string): string {
  const measurement = readMeasurement(entry.template, entry.data)
  const start = `${index}  ${String(entry.pcr).padStart(2)}  ${entry.template}`
  if (measurement === undefined) return cut(`${start}  (${entry.data.length} bytes)`)
  const digest = isViolation(entry)
    ? 'VIOLATION'
    : `${measurement.algorithm}:${toHex(measurement.digest).slice(2, 14)}…`
  const path = pathText(measurement.path)
  const room = WIDTH - start.length - digest.length - 4
  // The end of a path tells more than its beginning.
  return cut(`${start}  ${digest}  ${path.length > room && room > 1 ? `…${path.slice(1 - room)}` : path}`)
}

/** The beginning of a value is enough to see that it is another; --json has it whole. */
function pcrLine(bank: BankName, pcr: number, value: Uint8Array): string {
  return cut(`${bank.padEnd(7)} ${String(pcr).padStart(2)}  ${toHex(value).slice(2)}`)
}

function cut(line: string): string {
  return line.length > WIDTH ? `${line.slice(0, WIDTH - 1)}…` : line
}
