import { equal, toHex } from '../core/bytes.ts'
import type { HashName } from '../tcg/algorithm.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { bootStateOf } from '../tcg/boot-state.ts'
import { EventLogError } from '../tcg/event-log-error.ts'
import { replayEventLog } from '../tcg/event-log-replay.ts'
import { parseEventLog, type EventLog } from '../tcg/event-log.ts'
import { eventTypeName } from '../tcg/event-type.ts'
import type { FirmwareEvent } from '../tcg/firmware-event.ts'
import { resetValue } from '../tcg/reset-value.ts'
import type { AppraisalPolicy, EventRule } from './appraisal-policy.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import { lineDigests, measuredText } from './command-line.ts'

/** What the firmware's log makes of its PCRs. */
export interface FirmwareExplanation {
  /** The values to which it leads, of the PCRs that the policy has rules for. */
  readonly values: PcrValues
  readonly claims: readonly Claim[]
}

const SECURE_BOOT_PCR = 7

/**
 * Holds the firmware's event log against the events that may be there: `firmware-log`, one claim for each event of the policy by its name,
 * `pcr-N-event-I` for each that the policy has not, and `secure-boot`. Event types are not believed: events are told by their digests.
 *
 * @param bytes untrusted: believed only where its replay is the quoted PCR
 * @param pcrs the quoted values, as far as they are known
 * @param quoted the PCRs that are quoted
 */
export function appraiseFirmwareLog(
  bytes: Uint8Array | undefined,
  { bank, firmware: { events: rules, secureBoot } }: AppraisalPolicy,
  pcrs: PcrValues,
  quoted: ReadonlySet<number>,
): FirmwareExplanation {
  const isNeeded = rules.length > 0 || secureBoot !== undefined
  if (bytes === undefined) {
    if (!isNeeded) return { values: new Map(), claims: [] }
    const claims = [notCovered('firmware-log', 'the firmware’s event log', 'none', 'LOG_MISSING')]
    return { values: new Map(), claims }
  }
  let log: EventLog
  try {
    log = parseEventLog(bytes)
  } catch (error) {
    if (!(error instanceof EventLogError)) throw error
    const expected = 'an event log of the TCG’s form'
    if (!isNeeded)
      return { values: new Map(), claims: [notCovered('firmware-log', expected, error.message, 'NOT_IN_POLICY')] }
    return { values: new Map(), claims: [claim('firmware-log', expected, error.message, false, 'LOG_INVALID')] }
  }
  const replayed = replayEventLog(log, bank)
  const ruled = [...new Set(rules.map(({ pcr }) => pcr))]
  const holds = log.algorithms.some((one) => one.bank === bank)
  const values = new Map(ruled.map((pcr) => [pcr, replayed.get(pcr) ?? resetValue(bank, pcr)]))
  return {
    values: holds ? values : new Map(),
    claims: [
      claim(
        'firmware-log',
        `digests of ${bank}`,
        log.algorithms.map(({ name }) => name).join(', '),
        holds,
        'LOG_INVALID',
      ),
      ...ruled.flatMap((pcr) => appraiseEvents(log, bank, pcr, rules)),
      appraiseSecureBoot(log, bank, secureBoot, reach(replayed.get(SECURE_BOOT_PCR), pcrs, quoted)),
    ],
  }
}

/** The values to which a log leads, by PCR; none where it cannot be read. */
export function firmwareValues(bytes: Uint8Array | undefined, bank: HashName): PcrValues {
  try {
    return bytes === undefined ? new Map() : replayEventLog(parseEventLog(bytes), bank)
  } catch (error) {
    if (error instanceof EventLogError) return new Map()
    throw error
  }
}

/** What is known of whether what the log says of Secure Boot was quoted. */
type Reach = 'covered' | 'not covered' | 'unknown'

function reach(led: Uint8Array | undefined, pcrs: PcrValues, quoted: ReadonlySet<number>): Reach {
  const value = pcrs.get(SECURE_BOOT_PCR)
  if (quoted.has(SECURE_BOOT_PCR) && value === undefined) return 'unknown'
  return led !== undefined && value !== undefined && equal(led, value) ? 'covered' : 'not covered'
}

function appraiseSecureBoot(log: EventLog, bank: HashName, wanted: boolean | undefined, reached: Reach): Claim {
  const { enabled } = bootStateOf(log, bank).secureBoot
  const words = (on: boolean) => (on ? 'on' : 'off')
  const known = enabled === undefined ? 'cannot be told from the log' : words(enabled)
  const found = reached === 'covered' ? known : `${known}, but PCR ${SECURE_BOOT_PCR} ${UNREACHED[reached]}`
  if (wanted === undefined) return notCovered('secure-boot', 'nothing', found, 'NOT_IN_POLICY')
  if (reached === 'unknown') return notCovered('secure-boot', words(wanted), found, 'PCR_VALUE_MISSING')
  const passed = reached === 'covered' && enabled === wanted
  return claim('secure-boot', words(wanted), found, passed, 'SECURE_BOOT_DIFFERS')
}

const UNREACHED = { 'not covered': 'is not quoted with this value', unknown: 'has a value that is not known' } as const

/** Holds the events of one PCR against their rules, in order; those at both ends that agree first, so that one more or less is named as such. */
function appraiseEvents(log: EventLog, bank: HashName, pcr: number, all: readonly EventRule[]): readonly Claim[] {
  const rules = all.filter((rule) => rule.pcr === pcr)
  const events = log.events.filter((event) => event.pcr === pcr && event.extended && event.digest(bank) !== undefined)
  const fits = (rule: EventRule | undefined, event: FirmwareEvent | undefined) =>
    rule !== undefined && event !== undefined && isAllowed(rule, event, bank)
  let tail = 0
  if (rules.length !== events.length) {
    const most = Math.min(rules.length, events.length)
    while (tail < most && fits(rules.at(-1 - tail), events.at(-1 - tail))) tail++
  }
  const head = Math.max(rules.length, events.length) - tail
  const claims = Array.from({ length: head }, (_, i) => {
    const rule = i < rules.length - tail ? rules[i] : undefined
    return appraiseEvent(rule, i < events.length - tail ? events[i] : undefined, bank, pcr)
  })
  const ends = rules
    .slice(rules.length - tail)
    .map((rule, i) => appraiseEvent(rule, events[events.length - tail + i], bank, pcr))
  return [...claims, ...ends]
}

function appraiseEvent(
  rule: EventRule | undefined,
  event: FirmwareEvent | undefined,
  bank: HashName,
  pcr: number,
): Claim {
  const said = event && measuredText(event, bank)
  const value = event === undefined ? 'no event' : toHex(event.digest(bank) ?? new Uint8Array())
  const found = said === undefined ? value : `${value}, ${JSON.stringify(said)}`
  if (rule === undefined) {
    const name = `pcr-${pcr}-event-${event?.index ?? 0}`
    const what = event === undefined ? found : `${eventTypeName(event.type)} ${found}`
    return claim(name, 'no further event', what, false, 'EVENT_UNEXPECTED')
  }
  const { name, allowed } = rule
  const expected =
    allowed.kind === 'digest' ? allowed.digests.map(toHex) : allowed.commandLines.map((line) => JSON.stringify(line))
  const code =
    event === undefined ? 'EVENT_MISSING' : allowed.kind === 'digest' ? 'EVENT_DIFFERS' : 'COMMAND_LINE_DIFFERS'
  const passed = event !== undefined && isAllowed(rule, event, bank)
  const shown = allowed.kind === 'command-line' && said !== undefined ? JSON.stringify(said) : found
  return claim(name, expected.join(' or ') || 'nothing at all', shown, passed, code)
}

function isAllowed({ allowed }: EventRule, event: FirmwareEvent, bank: HashName): boolean {
  const found = event.digest(bank)
  if (found === undefined) return false
  const digests =
    allowed.kind === 'digest' ? allowed.digests : allowed.commandLines.flatMap((line) => lineDigests(line, bank))
  return digests.some((one) => equal(one, found))
}
