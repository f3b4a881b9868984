import { open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { concat } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { parseEventLog, MAX_EVENT_LOG_BYTES } from '../tcg/event-log.ts'
import { compareWithPcrs } from '../tcg/event-log-comparison.ts'
import { reportOf } from '../tcg/event-log-report.ts'
import { MAX_PCR_FILE_BYTES, parsePcrFile } from '../tcg/pcr-file.ts'
import { UsageError } from './error.ts'
import { eventLogText } from './eventlog-text.ts'
import { EXIT } from './exit.ts'
import { Output } from './output.ts'

/** `attestry eventlog`: what a firmware event log says, and whether it fits PCRs. */
export function eventlogCommand(): Command {
  return new Command('eventlog')
    .argument('<file>', "a firmware event log, such as the kernel's binary_bios_measurements")
    .option('--pcrs <file>', 'PCR values to compare it with (tpm2_pcrread, sysfs lines, JSON, tpm2_quote --pcr)')
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText(
      'after',
      `
Exit code 1 where a PCR that the log has events for differs from what it replays
to, or where there was none to compare; 2 where a file cannot be read.

Examples:
  attestry eventlog /sys/kernel/security/tpm0/binary_bios_measurements
  attestry eventlog boot.log --pcrs pcrs.yaml --json`,
    )
    .action(showEventLog)
}

interface EventLogOptions {
  readonly pcrs?: string
  readonly json?: boolean
}

async function showEventLog(file: string, options: EventLogOptions): Promise<void> {
  const output = new Output(options.json === true)
  const log = parseEventLog(await readAtMost(file, MAX_EVENT_LOG_BYTES))
  const given =
    options.pcrs === undefined ? undefined : parsePcrFile(await readAtMost(options.pcrs, MAX_PCR_FILE_BYTES))
  const report = reportOf(log)
  const comparison = given && compareWithPcrs(log, given)
  const findings = [...report.findings, ...(comparison?.findings ?? [])]
  output.result({ ...report, findings }, eventLogText({ ...report, findings }, comparison, output))
  if (comparison?.agree === false) process.exitCode = EXIT.refused
}

/** A file's bytes, and one more than is allowed where it is larger. Files of the kernel have no size, so they are read to their end. */
async function readAtMost(name: string, max: number): Promise<Uint8Array> {
  const path = resolve(name)
  try {
    await using handle = await open(path)
    const chunks: Uint8Array[] = []
    let length = 0
    while (length <= max) {
      const { bytesRead, buffer } = await handle.read({ buffer: new Uint8Array(65536) })
      if (bytesRead === 0) break
      chunks.push(buffer.subarray(0, bytesRead))
      length += bytesRead
    }
    return concat(...chunks)
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}
