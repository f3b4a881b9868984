import { fromHex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { quoteInfoOf } from '../evidence/vmm-hash.ts'
import { decodeCanonicalLog, replayCanonicalLog } from '../tcg/canonical-event-log.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { equal } from '../core/bytes.ts'
import { readInput } from './context.ts'
import { UsageError } from './error.ts'

/** What an approval is about. */
export interface ApprovedPcrs {
  readonly selection: PcrSelection
  readonly values: ReadonlyMap<number, Uint8Array>
}

/** Where the values come from: what `vmm predict` printed, or a file of PCR values, with a VMM's log for one of them. */
export interface ApprovedPcrsOptions {
  readonly predicted?: string
  readonly pcrs?: string
  readonly vmmLog?: string
  readonly pcr: number
  readonly select: readonly number[]
}

/** Reads the PCR values that are to be approved. @throws UsageError; TcgError of the log, PcrFileError of the PCR values */
export function approvedPcrs({ predicted, pcrs, vmmLog, pcr, select }: ApprovedPcrsOptions): ApprovedPcrs {
  if (predicted !== undefined) {
    if (pcrs !== undefined || vmmLog !== undefined) throw new UsageError('USAGE', '--predicted stands alone')
    return readPredicted(predicted)
  }
  if (pcrs === undefined && vmmLog === undefined) {
    throw new UsageError('USAGE', 'what is approved? Give --predicted FILE, or --pcrs FILE, --vmm-log FILE or both')
  }
  const values = new Map(pcrs === undefined ? [] : parsePcrFile(readInput(pcrs)).get('sha256'))
  if (vmmLog !== undefined) values.set(pcr, replayCanonicalLog(decodeCanonicalLog(readInput(vmmLog)), pcr))
  const absent = select.filter((index) => !values.has(index))
  if (absent.length > 0) {
    throw new UsageError('USAGE', `no value of the bank sha256 is given for PCR ${absent.join(', ')} of --select`)
  }
  return { selection: { bank: 'sha256', pcrs: select }, values }
}

/** What `attestry vmm predict --json` printed: the values must give the quote that it says. */
function readPredicted(file: string): ApprovedPcrs {
  const invalid = (why: string, cause?: unknown) =>
    new UsageError('USAGE', `${file}: expected what "attestry vmm predict --json" prints: ${why}`, { cause })
  try {
    const found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(readInput(file))) as {
      readonly ok: true
      readonly selection: { readonly pcrs: readonly number[] }
      readonly pcr: number
      readonly value: string
      readonly pcrs: Readonly<Record<string, string>>
      readonly attested: string
    }
    const values = new Map(Object.entries(found.pcrs).map(([pcr, value]) => [Number(pcr), fromHex(value, 32)]))
    values.set(found.pcr, fromHex(found.value, 32))
    const selection = { bank: 'sha256', pcrs: [...found.selection.pcrs] } as const
    if (!equal(quoteInfoOf(selection, values), fromHex(found.attested))) {
      throw invalid('its values are not those of its quote')
    }
    return { selection, values }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw invalid(messageOf(cause), cause)
  }
}
