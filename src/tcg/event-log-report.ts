import { toHex, type Hex } from '../core/bytes.ts'
import { bootStateOf, type BootState, type ProvingBank } from './boot-state.ts'
import { coverageInAllBanks, coveringBanks, mustBeCovered } from './event-coverage.ts'
import { decodeEventData, type EventData } from './event-data.ts'
import type { EventLog } from './event-log.ts'
import { replayableBanks } from './event-log-comparison.ts'
import type { Finding } from './event-log-finding.ts'
import { replayEventLog, startupLocalityOf } from './event-log-replay.ts'
import { eventTypeName } from './event-type.ts'
import type { FirmwareEvent } from './firmware-event.ts'
import type { CoveredPart } from './firmware-quirks.ts'

/** An event, decoded. */
export interface ReportedEvent {
  readonly index: number
  readonly pcr: number
  readonly type: number
  readonly typeName: string
  /** By the algorithm's name. */
  readonly digests: Readonly<Record<string, Hex>>
  readonly data: EventData
  /** Whether the digests of all SHA-2 banks cover something of the data; SHA-1's only where the log has nothing else. */
  readonly covered: boolean
  /** How much they cover, null for nothing. */
  readonly coveredPart: CoveredPart | null
}

/** Everything that a log says, in the shape of `attestry eventlog --json` (docs/cli.md). */
export interface EventLogReport {
  /** The Spec ID event's signature, or `TCG_PCR_EVENT` for an old log without one. */
  readonly spec: string
  readonly algorithms: readonly string[]
  readonly events: readonly ReportedEvent[]
  readonly pcrs: Readonly<Record<string, Readonly<Record<string, Hex>>>>
  /** Null where the log has no SHA-2 digests. */
  readonly bootState: Omit<BootState, 'findings'> | null
  readonly findings: readonly Finding[]
}

/** Decodes a whole log: each event, the PCRs of each bank, the boot's state by the first SHA-2 bank, and what is remarkable. */
export function reportOf(log: EventLog): EventLogReport {
  const findings: Finding[] = [...log.findings, ...startupLocalityOf(log).findings]
  const events = log.events.map((event) => reportedEvent(log, event, findings))
  const pcrs = Object.fromEntries(
    replayableBanks(log).map((bank) => [
      bank,
      Object.fromEntries([...replayEventLog(log, bank)].map(([pcr, value]) => [pcr, toHex(value)])),
    ]),
  )
  const bank = coveringBanks(log).find((one): one is ProvingBank => one !== 'sha1')
  if (bank === undefined) {
    findings.push({ code: 'SHA1_ONLY', event: null, detail: 'no SHA-2 digests: nothing is said of the boot’s state' })
  }
  const state = bank === undefined ? undefined : bootStateOf(log, bank)
  const { findings: stated = [], ...bootState } = state ?? {}
  return {
    spec: log.spec?.signature ?? 'TCG_PCR_EVENT',
    algorithms: log.algorithms.map(({ name }) => name),
    events,
    pcrs,
    bootState: state === undefined ? null : (bootState as Omit<BootState, 'findings'>),
    findings: [...findings, ...stated],
  }
}

function reportedEvent(log: EventLog, event: FirmwareEvent, findings: Finding[]): ReportedEvent {
  const { index, pcr, type } = event
  const typeName = eventTypeName(type)
  const add = (code: Finding['code'], detail: string) => findings.push({ code, event: index, detail })
  const data = decodeEventData(event)
  const { part, disagree } = coverageInAllBanks(log, event)
  if (data === undefined) add('DATA_MALFORMED', `the data are not what ${typeName} promises`)
  if (disagree) add('DIGESTS_DISAGREE', 'the digest of one bank covers the data, that of another does not')
  else if (part === undefined && mustBeCovered(type)) add('DIGEST_MISMATCH', `the digests are not those of the data`)
  const digests = event.algorithms.map((algorithm) => {
    const name = log.algorithms.find((one) => one.algorithm === algorithm)?.name ?? String(algorithm)
    return [name, toHex(event.digestOf(algorithm) ?? new Uint8Array())] as const
  })
  return {
    index,
    pcr,
    type,
    typeName,
    digests: Object.fromEntries(digests),
    data: data ?? { hex: toHex(event.data) },
    covered: part !== undefined,
    coveredPart: part ?? null,
  }
}
