import type { PcrComparison } from '../tcg/event-log-comparison.ts'
import type { EventLogReport, ReportedEvent } from '../tcg/event-log-report.ts'
import { table, type Output } from './output.ts'

const COLUMNS = 80

/** What `attestry eventlog` prints for people, within 80 columns. */
export function eventLogText(report: EventLogReport, comparison: PcrComparison | undefined, output: Output): string {
  const { spec, algorithms, events, findings } = report
  const parts = [
    `${spec}, ${events.length} events, ${algorithms.join(' ')}`,
    table([['event', 'PCR', 'type', 'covered', 'data'], ...events.map(row)]),
    ...pcrParts(report),
    ...bootParts(report),
    findings.length === 0
      ? 'no findings'
      : [
          output.style('bold', 'findings'),
          ...findings.map(({ code, event, detail }) => {
            return wrapped(`${code}${event === null ? '' : ` (event ${event})`}: ${detail}`)
          }),
        ].join('\n'),
  ]
  if (comparison !== undefined) {
    const verdict = comparison.agree ? output.style('green', 'equal') : output.style('red', 'NOT equal')
    parts.push(`${comparison.compared} PCRs compared with what the log replays to: ${verdict}`)
  }
  return parts.join('\n\n')
}

function row({ index, pcr, typeName, coveredPart, data }: ReportedEvent): readonly string[] {
  const type = typeName.replace(/^EV_(EFI_)?/, '')
  return [cut(String(index), 5), cut(String(pcr), 10), cut(type, 25), coveredPart ?? '–', cut(summary(data), 31)]
}

/** An event's data in one line: the member that says most. */
function summary(data: ReportedEvent['data']): string {
  const names = ['text', 'name', 'devicePath', 'version', 'signature', 'description', 'base', 'disk', 'value', 'hex']
  const name = names.find((one) => data[one] !== undefined && data[one] !== '')
  const value = name === undefined ? undefined : data[name]
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  return value === undefined ? '' : JSON.stringify(value)
}

/** The PCRs of one bank: all of them are in the JSON. */
function pcrParts({ pcrs }: EventLogReport): readonly string[] {
  const bank = ['sha256', 'sha384', 'sha512', 'sha1'].find((one) => pcrs[one] !== undefined)
  if (bank === undefined) return []
  const values = Object.entries(pcrs[bank] ?? {})
  return [
    [`PCRs of ${bank}, replayed`, ...values.map(([pcr, value]) => wrapped(`${pcr.padStart(2)}  ${value}`))].join('\n'),
  ]
}

function bootParts({ bootState }: EventLogReport): readonly string[] {
  if (bootState === null) return []
  const { bank, secureBoot, bootOrder, bootApplications, commandLine } = bootState
  const unknown = 'not known'
  const enabled = secureBoot.enabled === undefined ? unknown : secureBoot.enabled ? 'on' : 'off'
  const databases = Object.entries(secureBoot.databases).map(([name, entries]) => `${name} ${entries.length}`)
  return [
    [
      `the boot, by ${bank}`,
      wrapped(`Secure Boot: ${enabled}${databases.length > 0 ? ` (${databases.join(', ')})` : ''}`),
      wrapped(`boot order: ${bootOrder?.join(', ') ?? unknown}`),
      ...(bootApplications?.map((one) => wrapped(`application: ${one.digest} ${one.devicePath}`.trimEnd())) ?? [
        wrapped(`applications: ${unknown}`),
      ]),
      wrapped(`command line: ${commandLine?.text ?? unknown}`),
    ].join('\n'),
  ]
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}

/** A text in lines of at most 80 columns, indented by two, those behind the first by four; broken at spaces where there are any. */
function wrapped(text: string): string {
  const lines: string[] = []
  for (let rest = text; rest !== '';) {
    const room = COLUMNS - (lines.length === 0 ? 2 : 4)
    const space = rest.length > room ? rest.lastIndexOf(' ', room) : -1
    const end = rest.length <= room ? rest.length : space > 0 ? space : room
    lines.push(`${lines.length === 0 ? '  ' : '    '}${rest.slice(0, end)}`)
    rest = rest.slice(end).trimStart()
  }
  return lines.join('\n')
}
