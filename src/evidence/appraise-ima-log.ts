import { toHex } from '../core/bytes.ts'
import type { HashName } from '../tcg/algorithm.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { BOOT_AGGREGATE, bootAggregateHolds } from '../tcg/boot-aggregate.ts'
import { decodeAsciiImaLog, isAsciiImaLog } from '../tcg/ima-ascii.ts'
import { ImaError } from '../tcg/ima-error.ts'
import { decodeImaLog, isViolation, type ImaEntry } from '../tcg/ima-log.ts'
import { readMeasurement, type ImaMeasurement } from '../tcg/ima-measurement.ts'
import { matchIma, replayIma, startIma } from '../tcg/ima-replay.ts'
import { pathText } from '../tcg/path-text.ts'
import type { ImaRules } from './appraisal-policy.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import type { Explanation } from './explanation.ts'

/** A log may have a hundred thousand files: so many that are wrong are named, the others counted. */
const MOST_NAMED = 1000

/** What the boot aggregate of a bank that can be quoted is of. */
const AGGREGATED: readonly number[] = Array.from({ length: 10 }, (_, pcr) => pcr)

/**
 * Holds IMA's log against the files that may be used: `ima-log`, `ima-boot-aggregate`, `ima-files`, and `ima:PATH` for each file that may not.
 * Entries behind the quoted value came after the quote and are not looked at.
 *
 * @param bytes binary or text; untrusted: believed only as far as its replay is the quoted PCR
 * @param pcrs the quoted values, as far as they are known
 * @param quoted the PCRs that are quoted
 */
export function appraiseImaLog(
  bytes: Uint8Array | undefined,
  rules: ImaRules,
  bank: HashName,
  pcrs: PcrValues,
  quoted: ReadonlySet<number>,
): Explanation {
  const expected = `a log that leads to PCR ${rules.pcr} of ${bank}`
  if (bytes === undefined) return { value: undefined, claims: [notCovered('ima-log', expected, 'none', 'LOG_MISSING')] }
  let entries: readonly ImaEntry[]
  try {
    entries = entriesOf(bytes)
  } catch (error) {
    if (!(error instanceof ImaError)) throw error
    return { value: undefined, claims: [claim('ima-log', expected, error.message, false, 'LOG_INVALID')] }
  }
  const value = pcrs.get(rules.pcr)
  if (value === undefined) {
    const found = `${entries.length} entries, and no value of a quoted PCR ${rules.pcr}`
    return { value, claims: [notCovered('ima-log', expected, found, 'PCR_VALUE_MISSING')] }
  }
  const covered = coveredBy(entries, rules.pcr, bank, value)
  if (covered === undefined) {
    const found = `${entries.length} entries that lead to it at no line`
    return { value: undefined, claims: [claim('ima-log', expected, found, false, 'LOG_DIFFERS')] }
  }
  const own = covered.entries.filter(({ pcr }) => pcr === rules.pcr)
  const found = `${own.length} entries, ${entries.length - covered.entries.length} after the quote`
  return {
    value: covered.value,
    claims: [
      claim('ima-log', expected, found, own.length > 0, 'LOG_DIFFERS'),
      appraiseAggregate(own[0], bank, pcrs, quoted),
      ...appraiseFiles(own, rules),
    ],
  }
}

/**
 * The value to which the whole log leads; undefined where it cannot be read, or has no entry of the PCR. Only extensions by the bank's own hash
 * count: what rests on SHA-1 proves nothing.
 */
export function imaValue(bytes: Uint8Array | undefined, pcr: number, bank: HashName): Uint8Array | undefined {
  try {
    const { series } = replayIma(bytes === undefined ? [] : entriesOf(bytes), startIma([bank]))
    return series.find(({ scheme }) => scheme === 'hash')?.pcrs.get(pcr)
  } catch (error) {
    if (error instanceof ImaError) return undefined
    throw error
  }
}

function entriesOf(bytes: Uint8Array): readonly ImaEntry[] {
  return (isAsciiImaLog(bytes) ? decodeAsciiImaLog(bytes) : decodeImaLog(bytes)).entries
}

/** The entries that were there when the PCR was quoted. */
function coveredBy(entries: readonly ImaEntry[], pcr: number, bank: HashName, value: Uint8Array) {
  const match = matchIma(entries, new Map([[bank, new Map([[pcr, value]])]])).find((one) => one.pcr === pcr)
  if (match?.line === null || match?.scheme !== 'hash') return undefined
  return { entries: entries.slice(0, match.line), value }
}

function appraiseAggregate(
  first: ImaEntry | undefined,
  bank: HashName,
  pcrs: PcrValues,
  quoted: ReadonlySet<number>,
): Claim {
  const name = 'ima-boot-aggregate'
  const expected = 'the hash of this boot’s PCRs'
  const measurement = first === undefined ? undefined : readMeasurement(first.template, first.data)
  if (measurement === undefined || pathText(measurement.path) !== BOOT_AGGREGATE) {
    return claim(name, expected, 'a log that does not begin with one', false, 'IMA_AGGREGATE_DIFFERS')
  }
  const found = digestText(measurement)
  const holds = bootAggregateHolds(measurement, new Map([[bank, pcrs]]))
  if (holds === undefined) {
    const unknown = measurement.algorithm === bank && AGGREGATED.every((pcr) => quoted.has(pcr))
    if (unknown) return notCovered(name, expected, found, 'PCR_VALUE_MISSING')
    return notCovered(name, `${expected}, which are not all quoted`, found, 'NOT_IN_POLICY')
  }
  return claim(name, expected, found, holds, 'IMA_AGGREGATE_DIFFERS')
}

function appraiseFiles(entries: readonly ImaEntry[], rules: ImaRules): readonly Claim[] {
  const wrong = new Map<string, Claim>()
  entries.forEach((entry, i) => {
    const found = appraiseEntry(entry, i, rules)
    if (found !== undefined) wrong.set(`${found.name} ${found.found}`, found)
  })
  const named = [...wrong.values()].slice(0, MOST_NAMED)
  const rest = wrong.size - named.length
  const found = wrong.size === 0 ? `${entries.length} entries, all of them` : `${wrong.size} that are not`
  const more = rest === 0 ? '' : `, ${rest} of them not named here`
  return [
    claim(
      'ima-files',
      'files that are listed, as they are listed',
      `${found}${more}`,
      wrong.size === 0,
      'IMA_FILE_DIFFERS',
    ),
    ...named,
  ]
}

/** Undefined where nothing speaks against it. */
function appraiseEntry(entry: ImaEntry, index: number, rules: ImaRules): Claim | undefined {
  const measurement = readMeasurement(entry.template, entry.data)
  if (measurement === undefined) {
    return claim(`ima:#${index}`, 'a known template', entry.template, false, 'IMA_ENTRY_INVALID')
  }
  const path = pathText(measurement.path)
  const name = `ima:${path}`
  if (isViolation(entry)) {
    // What a violation's entry says is covered by nothing, not even its name.
    if (rules.violations === 'allow') return undefined
    return claim(name, 'no violation', 'written while it was in use', false, 'IMA_VIOLATION')
  }
  if (index === 0 && path === BOOT_AGGREGATE) return undefined
  const found = digestText(measurement)
  const allowed = rules.files.get(path)
  if (allowed === undefined) {
    if (rules.unlisted === 'allow') return undefined
    return claim(name, 'a file of the policy', found, false, 'IMA_FILE_UNLISTED')
  }
  return allowed.includes(found) ? undefined : claim(name, allowed.join(' or '), found, false, 'IMA_FILE_DIFFERS')
}

/** A file's digest as policies write it: algorithm, colon, digits; fs-verity's with `verity:` in front. */
export function digestText({ digestType, algorithm, digest }: ImaMeasurement): string {
  return `${digestType === 'verity' ? 'verity:' : ''}${algorithm}:${toHex(digest).slice(2)}`
}
