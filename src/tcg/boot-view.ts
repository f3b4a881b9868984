import { equal } from '../core/bytes.ts'
import { coverageOf } from './event-coverage.ts'
import type { EventLog } from './event-log.ts'
import type { Finding } from './event-log-finding.ts'
import { EV } from './event-type.ts'
import type { FirmwareEvent } from './firmware-event.ts'
import type { CoveredPart } from './firmware-quirks.ts'
import { digest, type ComputableBank } from './hash.ts'

/** An event that was extended, and how much of its data its digest covers. */
export interface ViewedEvent {
  readonly event: FirmwareEvent
  readonly part: CoveredPart | undefined
  /** What its digest is known to be of, whatever its type says. */
  readonly known: 'separator' | 'action' | undefined
}

/** The events of one PCR, around the separator that ends what the firmware does before it hands over. */
export interface PcrView {
  readonly pcr: number
  readonly bank: ComputableBank
  readonly events: readonly ViewedEvent[]
  /** The separator's place in `events`; undefined where there is not exactly one, under its own type. */
  readonly separator: number | undefined
  readonly findings: readonly Finding[]
}

/** What separators hold (PC Client Platform Firmware Profile 1.06, 10.4.1), and what stands there after an error. */
const SEPARATORS = [Uint8Array.of(0, 0, 0, 0), Uint8Array.of(0xff, 0xff, 0xff, 0xff)] as const
const ERROR_SEPARATOR = Uint8Array.of(1, 0, 0, 0)

/** Types under which an action is logged. */
const ACTION_TYPES: readonly number[] = [EV.ACTION, EV.EFI_ACTION, EV.OMIT_BOOT_DEVICE_EVENTS]

/** Actions that the profile words, so that their digests are known under any type. */
const ACTIONS = [
  'Calling EFI Application from Boot Option',
  'Returning from EFI Application from Boot Option',
  'Exit Boot Services Invocation',
  'Exit Boot Services Returned with Failure',
  'Exit Boot Services Returned with Success',
  'UEFI Debug Mode',
  'DMA Protection Disabled',
  'BOOT ATTEMPTS OMITTED',
] as const

/**
 * Looks at one PCR of a log by its digests. A digest that is known to be a separator's or an action's has that meaning under every type, so that
 * neither can be hidden, and none can be passed off as something else.
 */
export function viewPcr(log: EventLog, bank: ComputableBank, pcr: number): PcrView {
  const separators = SEPARATORS.map((data) => digest(bank, data))
  const actions = ACTIONS.map((text) => digest(bank, new TextEncoder().encode(text)))
  const error = digest(bank, ERROR_SEPARATOR)
  const findings: Finding[] = []
  const events: ViewedEvent[] = []
  for (const event of log.events) {
    const found = event.pcr === pcr && event.extended ? event.digest(bank) : undefined
    if (found === undefined) continue
    const among = (digests: readonly Uint8Array[]) => digests.some((one) => equal(one, found))
    const known = among(separators) ? 'separator' : among(actions) ? 'action' : undefined
    const types: readonly number[] = known === 'separator' ? [EV.SEPARATOR] : ACTION_TYPES
    if (known !== undefined && !types.includes(event.type)) {
      findings.push({
        code: 'TYPE_SWAPPED',
        event: event.index,
        detail: `the digest is that of ${known === 'action' ? 'an action' : 'a separator'}`,
      })
    }
    if (among([error])) {
      findings.push({ code: 'SEPARATOR_ERROR', event: event.index, detail: `the firmware met an error (PCR ${pcr})` })
    }
    events.push({ event, part: coverageOf(event, bank), known })
  }
  const places = events.flatMap(({ known }, i) => (known === 'separator' ? [i] : []))
  const [first = -1, second] = places
  if (places.length !== 1) {
    const code = places.length === 0 ? 'SEPARATOR_MISSING' : 'SEPARATOR_REPEATED'
    const at = second === undefined ? null : (events[second]?.event.index ?? null)
    findings.push({ code, event: at, detail: `expected one separator in PCR ${pcr}, found ${places.length}` })
  }
  // Whatever is wrong with a PCR's separators and actions leaves what is before and what behind them undecided.
  return { pcr, bank, events, separator: findings.length === 0 ? first : undefined, findings }
}

/** Whether an event is an action whose text its digest covers. */
export function isAction({ event, part }: ViewedEvent): boolean {
  return part !== undefined && ACTION_TYPES.includes(event.type)
}
