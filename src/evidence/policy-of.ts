import { equal, toHex } from '../core/bytes.ts'
import { hashNameOf, HASHES, type HashName } from '../tcg/algorithm.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { bootStateOf } from '../tcg/boot-state.ts'
import { decodeCanonicalLog, replayCanonicalLog } from '../tcg/canonical-event-log.ts'
import { decodeEventData } from '../tcg/event-data.ts'
import { replayEventLog } from '../tcg/event-log-replay.ts'
import { parseEventLog } from '../tcg/event-log.ts'
import { eventTypeName } from '../tcg/event-type.ts'
import type { FirmwareEvent } from '../tcg/firmware-event.ts'
import { BOOT_AGGREGATE } from '../tcg/boot-aggregate.ts'
import { sha256 } from '../tcg/hash.ts'
import { decodeAsciiImaLog, isAsciiImaLog } from '../tcg/ima-ascii.ts'
import { decodeImaLog, isViolation } from '../tcg/ima-log.ts'
import { readMeasurement } from '../tcg/ima-measurement.ts'
import { matchIma } from '../tcg/ima-replay.ts'
import { pathText } from '../tcg/path-text.ts'
import { resetValue } from '../tcg/reset-value.ts'
import { IMA_DIGEST } from './appraisal-policy.ts'
import { digestText } from './appraise-ima-log.ts'
import { measuredText } from './command-line.ts'
import { EvidenceError } from './error.ts'
import type { Evidence } from './evidence.ts'
import { verifyTpmQuote, type VerifiedTpmQuote } from './tpm-quote.ts'
import { pcrDigest } from './vmm-hash.ts'

/** How a PCR is explained in a policy. */
export interface PcrExplanation {
  readonly pcr: number
  readonly explainedBy: 'firmware events' | 'IMA' | 'VMM log' | 'never extended' | 'its value'
}

/** A policy, and what it rests on. */
export interface MadePolicy {
  /** TOML, as `parseAppraisalPolicy` reads it. */
  readonly text: string
  readonly pcrs: readonly PcrExplanation[]
  /** What the policy lets pass that a policy should not, and what it could not list: for whoever reads it. */
  readonly notes: readonly string[]
}

const SECURE_BOOT_PCR = 7
const COMMAND_LINE = 'command-line'

/**
 * Makes the policy that takes exactly this evidence, for a host that somebody trusts as it is now. Each quoted PCR is explained by the
 * log that leads to it, so that a later appraisal can say what differs; only where none does, by its value.
 *
 * @param evidence untrusted but for the quoted state itself, which its user takes for good
 * @throws EvidenceError where the quote cannot be verified, or its values are not those given; TcgError, EventLogError, ImaError for a log that cannot be read
 */
export async function policyOf(evidence: Evidence): Promise<MadePolicy> {
  const { ekPublic } = evidence.endorsement ?? {}
  const quote = await verifyTpmQuote(evidence.quote, ekPublic)
  const { bank, values } = quotedValues(quote, evidence)
  const firmware = firmwareOf(evidence, bank, values)
  const vmm = vmmOf(evidence, values)
  const ima = imaOf(evidence, bank, values)
  const pcrs = [...values].map(([pcr, value]): PcrExplanation => {
    if (vmm?.pcr === pcr) return { pcr, explainedBy: 'VMM log' }
    if (ima?.pcr === pcr) return { pcr, explainedBy: 'IMA' }
    if (firmware.pcrs.has(pcr)) return { pcr, explainedBy: 'firmware events' }
    return { pcr, explainedBy: equal(value, resetValue(bank, pcr)) ? 'never extended' : 'its value' }
  })
  const by = (explainedBy: PcrExplanation['explainedBy']) =>
    pcrs.filter((one) => one.explainedBy === explainedBy).map(({ pcr }) => pcr)
  const [plain, unextended] = [by('its value'), by('never extended')]
  const hasCertificate = evidence.endorsement?.ekCertificate !== undefined
  const lines = [
    '# Takes exactly the evidence that it was made from. docs/evidence.md says what each key means, and how to widen it.',
    'version = 1',
    'freshness = "nonce"',
    '',
    '# Nothing in evidence shows that key and EK are in one TPM: activation of a credential does, at enrolment.',
    '[[attestation_keys]]',
    `name = ${text(quote.akName)}`,
    ...(ekPublic === undefined ? [] : [`ek = ${text(toHex(sha256(ekPublic)))}`]),
    '',
    '[tpm]',
    `assurance = ${text(hasCertificate ? 'Software' : 'none')}`,
    '',
    '[clock]',
    `require_safe = ${quote.clock.safe}`,
    '',
    '[quote]',
    `bank = ${text(bank)}`,
    `pcrs = [${[...values.keys()].join(', ')}]`,
    ...(unextended.length === 0 ? [] : [`unextended = [${unextended.join(', ')}]`]),
    ...(plain.length === 0
      ? []
      : ['', '[values]', ...plain.map((pcr) => `${pcr} = [${text(toHex(values.get(pcr) ?? new Uint8Array()))}]`)]),
    ...firmware.lines,
    ...(ima?.lines ?? []),
    ...(vmm?.lines ?? []),
  ]
  const notes = [
    ...(hasCertificate ? [] : ['assurance = "none": no EK certificate says that this is a TPM']),
    ...(quote.clock.safe ? [] : ['require_safe = false: the TPM’s clock may have been turned back']),
    ...(ima?.notes ?? []),
  ]
  return { text: `${lines.join('\n')}\n`, pcrs, notes }
}

/** The one bank that is quoted, and its values, which the quote's digest confirms. */
function quotedValues(
  quote: VerifiedTpmQuote,
  evidence: Evidence,
): { readonly bank: HashName; readonly values: PcrValues } {
  const [selection, ...others] = quote.selections
  const bank = hashNameOf(HASHES[selection?.bank === 'sha384' ? 'sha384' : 'sha256'].algorithm)
  if (selection === undefined || others.length > 0 || bank === undefined || selection.bank !== bank) {
    throw new EvidenceError('PCR_VALUES', 'expected a quote of the bank sha256 or sha384 alone')
  }
  const given = evidence.pcrs?.get(bank)
  const values = new Map<number, Uint8Array>()
  for (const pcr of selection.pcrs) {
    const value = given?.get(pcr)
    if (value !== undefined) values.set(pcr, value)
  }
  if (!equal(pcrDigest({ bank, pcrs: selection.pcrs }, values), quote.pcrDigest)) {
    throw new EvidenceError('PCR_VALUES', 'the PCR values given are not those that were quoted')
  }
  return { bank, values }
}

function firmwareOf({ eventLog }: Evidence, bank: HashName, values: PcrValues) {
  if (eventLog === undefined) return { pcrs: new Set<number>(), lines: [] }
  const log = parseEventLog(eventLog)
  const replayed = replayEventLog(log, bank)
  const reached = [...values].filter(([pcr, value]) => equal(value, replayed.get(pcr) ?? new Uint8Array()))
  const pcrs = new Set(reached.map(([pcr]) => pcr))
  const events = log.events.filter((event) => pcrs.has(event.pcr) && event.extended)
  const { enabled } = bootStateOf(log, bank).secureBoot
  const known = enabled !== undefined && pcrs.has(SECURE_BOOT_PCR)
  const names = new Map<string, number>()
  const numbered = (name: string) => {
    const times = (names.get(name) ?? 0) + 1
    names.set(name, times)
    return times === 1 ? name : `${name} #${times}`
  }
  return {
    pcrs,
    lines: [
      ...(known ? ['', '[firmware]', `secure_boot = ${enabled}`] : []),
      ...events.flatMap((event) => {
        const found = event.digest(bank)
        if (found === undefined) return []
        const name = nameOf(event)
        const line = name === COMMAND_LINE ? measuredText(event, bank) : undefined
        return [
          '',
          '[[firmware.events]]',
          `name = ${text(numbered(name))}`,
          `pcr = ${event.pcr}`,
          line === undefined ? `digests = [${text(toHex(found))}]` : `command_lines = [${text(line)}]`,
        ]
      }),
    ],
  }
}

/** What an event seems to be, for its reader: nothing rests on it. */
function nameOf(event: FirmwareEvent): string {
  const data = decodeEventData(event) ?? {}
  const said = ['name', 'devicePath', 'text', 'version']
    .map((key) => data[key])
    .find((value) => typeof value === 'string')
  const words = typeof said === 'string' ? said : ''
  if (words === 'linux load options' || words.startsWith('kernel_cmdline')) return COMMAND_LINE
  const name = `pcr-${event.pcr} ${eventTypeName(event.type)} ${words}`.trim()
  // Beginning and end say most; a line of a terminal holds it.
  return name.length <= 70 ? name : `${name.slice(0, 40)}…${name.slice(-29)}`
}

function imaOf({ imaLog }: Evidence, bank: HashName, values: PcrValues) {
  if (imaLog === undefined) return undefined
  const { entries } = isAsciiImaLog(imaLog) ? decodeAsciiImaLog(imaLog) : decodeImaLog(imaLog)
  const match = matchIma(entries, new Map([[bank, values]])).find(
    ({ line, scheme }) => line !== null && scheme === 'hash',
  )
  if (match?.line == null || match.line === 0) return undefined
  const files = new Map<string, Set<string>>()
  const weak = new Set<string>()
  let violations = 0
  entries.slice(0, match.line).forEach((entry, i) => {
    const measurement = entry.pcr === match.pcr ? readMeasurement(entry.template, entry.data) : undefined
    if (measurement === undefined) return
    if (isViolation(entry)) {
      violations++
      return
    }
    const path = pathText(measurement.path)
    const found = digestText(measurement)
    if (i === 0 && path === BOOT_AGGREGATE) return
    if (IMA_DIGEST.test(found)) files.set(path, (files.get(path) ?? new Set()).add(found))
    else weak.add(`${path} (${measurement.algorithm})`)
  })
  const [first, ...others] = weak
  return {
    pcr: match.pcr,
    notes: [
      ...(violations === 0 ? [] : [`violations = "allow": ${violations} files were written while they were used`]),
      ...(first === undefined
        ? []
        : [
            `not listed, for their hash is weak or unknown: ${first}${others.length === 0 ? '' : ` and ${others.length} more`}`,
          ]),
    ],
    lines: [
      '',
      '[ima]',
      `pcr = ${match.pcr}`,
      ...(violations === 0
        ? []
        : [`violations = "allow" # ${violations} in this evidence: what these files held is not known`]),
      '',
      '[ima.files]',
      ...[...files].map(([path, digests]) => `${text(path)} = [${[...digests].map(text).join(', ')}]`),
    ],
  }
}

function vmmOf({ vmmLog }: Evidence, values: PcrValues) {
  if (vmmLog === undefined) return undefined
  const log = decodeCanonicalLog(vmmLog)
  const pcr = log[0]?.pcr
  if (pcr === undefined || !equal(replayCanonicalLog(log, pcr), values.get(pcr) ?? new Uint8Array())) return undefined
  const changed = log.find(({ event }) => event.kind === 'changed')
  if (changed !== undefined) {
    const detail = `${changed.event.name} changed while it ran: reboot the host, and collect again`
    throw new EvidenceError('EVIDENCE_UNSUITABLE', detail)
  }
  const components = log.flatMap(({ event }) =>
    event.kind === 'component' ? [[event.name, event.sha256 ?? 'absent'] as const] : [],
  )
  if (components.every(([, found]) => found === 'absent')) return undefined
  const names = new Set<string>()
  for (const [name] of components) {
    if (names.has(name)) throw new EvidenceError('EVIDENCE_UNSUITABLE', `the VMM’s log has ${name} twice`)
    names.add(name)
  }
  return {
    pcr,
    lines: [
      '',
      '[vmm]',
      `pcr = ${pcr}`,
      '',
      '[vmm.components]',
      ...components.map(
        ([name, found]) => `${text(name)} = ${found === 'absent' ? text(found) : `[${text(toHex(found))}]`}`,
      ),
    ],
  }
}

/** A TOML basic string; JSON's escapes are all TOML's, but for what it leaves unescaped. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll('\u007f', '\\u007f')
}
