import { equal, fromHex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { quoteInfoOf } from '../evidence/vmm-hash.ts'
import { decodeCanonicalLog, replayCanonicalLog } from '../tcg/canonical-event-log.ts'
import { parsePcrFile } from '../tcg/pcr-file.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { PinError } from '../tpm/pin-error.ts'
import { isFirmwarePcr } from '../vmm/firmware-pcrs.ts'
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
  /** Whether it is meant that no firmware PCR is selected. */
  readonly withoutFirmware: boolean
}

/**
 * Reads the PCR values that are to be approved, which are those of `select` and no others.
 *
 * @throws UsageError; PinError `PCRS_INVALID`; TcgError of the log, PcrFileError of the PCR values
 */
export function approvedPcrs(options: ApprovedPcrsOptions): ApprovedPcrs {
  const { predicted, pcrs, vmmLog, pcr, select, withoutFirmware } = options
  if (!withoutFirmware && !select.some(isFirmwarePcr)) {
    const found = `expected firmware PCRs (0 to 7) in --select, found ${select.join()}`
    throw new PinError('PCRS_INVALID', `${found}: the PIN would open below any firmware (--without-firmware)`)
  }
  if (predicted !== undefined) {
    if (pcrs !== undefined || vmmLog !== undefined) throw new UsageError('USAGE', '--predicted stands alone')
    return readPredicted(predicted, select)
  }
  if (pcrs === undefined && vmmLog === undefined) {
    throw new UsageError('USAGE', 'what is approved? Give --predicted FILE, or --pcrs FILE, --vmm-log FILE or both')
  }
  const values = new Map(pcrs === undefined ? [] : parsePcrFile(readInput(pcrs)).get('sha256'))
  if (vmmLog !== undefined) values.set(pcr, replayed(vmmLog, pcr))
  const absent = select.filter((index) => !values.has(index))
  if (absent.length > 0) {
    throw new UsageError('USAGE', `no value of the bank sha256 is given for PCR ${absent.join(', ')} of --select`)
  }
  return { selection: { bank: 'sha256', pcrs: select }, values }
}

function replayed(file: string, pcr: number): Uint8Array {
  const log = decodeCanonicalLog(readInput(file))
  if (log.length === 0)
    throw new PinError('PCRS_INVALID', `${file}: expected a VMM's event log, found one without events`)
  return replayCanonicalLog(log, pcr)
}

/** What `attestry vmm predict --json` printed: the values must give the quote that it says. */
function readPredicted(file: string, select: readonly number[]): ApprovedPcrs {
  const invalid = (why: string, cause?: unknown) =>
    new UsageError('USAGE', `${file}: expected what "attestry vmm predict --json" prints: ${why}`, { cause })
  try {
    const found = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(readInput(file))) as {
      readonly ok: unknown
      readonly selection: { readonly bank: unknown; readonly pcrs: readonly number[] }
      readonly pcr: number
      readonly value: string
      readonly pcrs: Readonly<Record<string, string>>
      readonly attested: string
    }
    if (found.ok !== true) throw invalid('it says that predicting failed')
    const values = new Map(Object.entries(found.pcrs).map(([pcr, value]) => [Number(pcr), fromHex(value, 32)]))
    values.set(found.pcr, fromHex(found.value, 32))
    const selection = { bank: 'sha256', pcrs: select } as const
    // What a host predicts is that host's word: which PCRs count is the approver's.
    const [wanted, is] = [`sha256:${select.join()}`, `${String(found.selection.bank)}:${found.selection.pcrs.join()}`]
    if (is !== wanted) {
      throw new PinError(
        'PCRS_INVALID',
        `${file}: expected a prediction for the PCRs of --select, ${wanted}, found ${is}`,
      )
    }
    if (!equal(quoteInfoOf(selection, values), fromHex(found.attested))) {
      throw invalid('its values are not those of its quote')
    }
    return { selection, values }
  } catch (cause) {
    if (cause instanceof UsageError || cause instanceof PinError) throw cause
    throw invalid(messageOf(cause), cause)
  }
}
