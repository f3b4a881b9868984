import { BANKS, type PcrValues } from './bank.ts'
import type { EventLog } from './event-log.ts'
import type { Finding } from './event-log-finding.ts'
import { EV } from './event-type.ts'
import type { FirmwareEvent } from './firmware-event.ts'
import { digest, type ComputableBank } from './hash.ts'
import { resetValue } from './reset-value.ts'

/** The localities that may start a TPM: 0, the firmware's 3, and 4 where an H-CRTM did (PC Client Platform Firmware Profile 1.06, 10.4.5.3). */
const STARTUP_LOCALITIES: readonly number[] = [0, 3, 4]
const STARTUP_SIGNATURE = 'StartupLocality\0'

/** The locality that a log says the TPM was started from. */
export interface StartupLocality {
  readonly locality: number
  readonly findings: readonly Finding[]
}

/**
 * The values that a log gives the PCRs of a bank: for each PCR with an event that extends it, its value after a reset, extended with
 * the event's digests in order. EV_NO_ACTION extends nothing, nor does an event without a digest of the bank.
 *
 * @returns ascending by PCR; PCRs without an event are not in it
 */
export function replayEventLog(log: EventLog, bank: ComputableBank): PcrValues {
  const { length } = BANKS[bank]
  const states: (Uint8Array | undefined)[] = []
  for (const event of log.events) {
    if (!event.extended) continue
    const extension = event.digest(bank)
    if (extension === undefined) continue
    const state = (states[event.pcr] ??= stateAfterReset(log, event.pcr, bank))
    state.set(extension, length)
    state.set(digest(bank, state))
  }
  const values = new Map<number, Uint8Array>()
  states.forEach((state, pcr) => state !== undefined && values.set(pcr, state.slice(0, length)))
  return values
}

/**
 * The locality that the log's first StartupLocality event names; where it has none, 4 if an H-CRTM event is the first that extends PCR 0, else
 * 0. It is believed by nobody: a wrong one gives another PCR 0.
 */
export function startupLocalityOf(log: EventLog): StartupLocality {
  const findings: Finding[] = []
  let locality: number | undefined
  let first: FirmwareEvent | undefined
  for (const event of log.events) {
    if (event.pcr !== 0) continue
    if (event.extended) {
      first ??= event
      continue
    }
    const found = localityIn(event)
    if (found === undefined) continue
    const fault = faultOf(found, first, locality)
    if (fault === undefined) locality = found
    else findings.push({ code: 'LOCALITY_INVALID', event: event.index, detail: fault })
  }
  return { locality: locality ?? (first?.type === EV.EFI_HCRTM_EVENT ? 4 : 0), findings }
}

/** The locality of a StartupLocality event, undefined for any other. */
export function localityIn(event: FirmwareEvent): number | undefined {
  const { data } = event
  if (event.extended || data.length < STARTUP_SIGNATURE.length + 1) return undefined
  for (let i = 0; i < STARTUP_SIGNATURE.length; i++) if (data[i] !== STARTUP_SIGNATURE.charCodeAt(i)) return undefined
  return data[STARTUP_SIGNATURE.length]
}

function faultOf(locality: number, first: FirmwareEvent | undefined, before: number | undefined): string | undefined {
  if (!STARTUP_LOCALITIES.includes(locality)) return `expected a startup locality of 0, 3 or 4, found ${locality}`
  if (first !== undefined) return `the startup locality stands behind event ${first.index}, which extends PCR 0`
  if (before !== undefined && before !== locality) return `the log has a second startup locality, ${locality}`
  return undefined
}

/** A PCR's value after a reset, in PCR 0 with the locality in its last byte, and behind it room for what is extended. */
function stateAfterReset(log: EventLog, pcr: number, bank: ComputableBank): Uint8Array {
  const { length } = BANKS[bank]
  const state = new Uint8Array(2 * length)
  state.set(resetValue(bank, pcr))
  if (pcr === 0) state[length - 1] = startupLocalityOf(log).locality
  return state
}
