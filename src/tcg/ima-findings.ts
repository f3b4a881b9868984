import { equal } from '../core/bytes.ts'
import type { BankName, PcrValues } from './bank.ts'
import { BOOT_AGGREGATE, bootAggregateHolds } from './boot-aggregate.ts'
import { COMPUTABLE_BANKS } from './hash.ts'
import { templateHash } from './ima-hash.ts'
import { isViolation, type ImaLog } from './ima-log.ts'
import { readMeasurement } from './ima-measurement.ts'
import type { ImaMatch } from './ima-replay.ts'
import { pathText } from './path-text.ts'

/**
 * What is remarkable about an IMA log.
 *
 * - `TEMPLATE_DIGEST`: a logged digest that is not its data's hash
 * - `VIOLATION`: a file that was open for writing while it was measured, or read while open: what was used is not known, and the
 *   entry's data are not covered
 * - `TEMPLATE_UNKNOWN`: a template that is not known; its data are kept, and say nothing
 * - `PCR_OTHER`: an entry of another PCR than the first's
 * - `DIGEST_WEAK`: a file digest by an algorithm for which collisions can be made
 * - `BOOT_AGGREGATE_MISSING`: a log that does not begin as logs do: a later part, or a cut one
 * - `BOOT_AGGREGATE_OTHER`: a boot aggregate that is not that of the PCRs given
 * - `PCR_MISMATCH`: a PCR that the log reaches at no line
 * - `PCR_NOT_COMPARED`: a bank whose hash cannot be computed, or no PCR to compare with
 * - `SHA1_PADDED`: a bank that the kernel extends with padded SHA-1 hashes
 * - `ENTRIES_AFTER`: entries behind the line at which the log reaches the PCR: not covered
 * - `LINES_DIFFER`: banks that reach their PCR at different lines: they were not read at one moment
 */
export type ImaFindingCode =
  | 'TEMPLATE_DIGEST'
  | 'VIOLATION'
  | 'TEMPLATE_UNKNOWN'
  | 'PCR_OTHER'
  | 'DIGEST_WEAK'
  | 'BOOT_AGGREGATE_MISSING'
  | 'BOOT_AGGREGATE_OTHER'
  | 'PCR_MISMATCH'
  | 'PCR_NOT_COMPARED'
  | 'SHA1_PADDED'
  | 'ENTRIES_AFTER'
  | 'LINES_DIFFER'

/** One remark. */
export interface ImaFinding {
  readonly code: ImaFindingCode
  /** The entry, from 0 in this log; null for what concerns the log. */
  readonly event: number | null
  readonly detail: string
}

/** Algorithms of file digests that prove nothing against whoever made the file. */
const WEAK = ['md4', 'md5', 'sha1', 'rmd128', 'tgr128']

/** What is remarkable about a log's entries by themselves. Linear in the entries. */
export function imaFindings({ bank, entries }: ImaLog): readonly ImaFinding[] {
  const findings: ImaFinding[] = []
  const [first] = entries
  const add = (code: ImaFindingCode, event: number | null, detail: string) => findings.push({ code, event, detail })
  entries.forEach((entry, i) => {
    const measurement = readMeasurement(entry.template, entry.data)
    const name = measurement === undefined ? entry.template : pathText(measurement.path)
    if (i === 0 && name !== BOOT_AGGREGATE)
      add('BOOT_AGGREGATE_MISSING', 0, `expected ${BOOT_AGGREGATE}, found ${name}`)
    if (entry.pcr !== first?.pcr) add('PCR_OTHER', i, `expected PCR ${first?.pcr ?? 0}, found ${entry.pcr}`)
    if (measurement === undefined) add('TEMPLATE_UNKNOWN', i, `the template ${entry.template} is not known`)
    if (isViolation(entry)) return void add('VIOLATION', i, `${name} was open for writing or changed`)
    if (!equal(templateHash(entry, bank), entry.digest)) {
      add('TEMPLATE_DIGEST', i, `the logged digest of ${name} is not that of its data`)
    }
    if (measurement !== undefined && WEAK.includes(measurement.algorithm)) {
      add('DIGEST_WEAK', i, `the digest of ${name} is ${measurement.algorithm}`)
    }
  })
  return findings
}

/**
 * What is remarkable about a log beside PCR values.
 *
 * @param expected the PCR values by bank
 * @param matches what `matchIma` found
 * @param before how many entries were before this part of the log
 */
export function matchFindings(
  { entries }: ImaLog,
  expected: ReadonlyMap<BankName, PcrValues>,
  matches: readonly ImaMatch[],
  before = 0,
): readonly ImaFinding[] {
  const findings: ImaFinding[] = []
  const add = (code: ImaFindingCode, event: number | null, detail: string) => findings.push({ code, event, detail })
  for (const bank of expected.keys()) {
    if (!COMPUTABLE_BANKS.some((name) => name === bank))
      add('PCR_NOT_COMPARED', null, `${bank} cannot be computed here`)
  }
  if (matches.length === 0) add('PCR_NOT_COMPARED', null, 'no value is given for a PCR that the log extends')
  for (const { bank, pcr, line, scheme } of matches) {
    if (line === null) add('PCR_MISMATCH', null, `PCR ${pcr} of ${bank} is reached at no line`)
    else if (scheme === 'sha1-padded') add('SHA1_PADDED', null, `${bank} is extended with padded SHA-1 hashes`)
  }
  for (const pcr of new Set(matches.map((match) => match.pcr))) {
    const lines = new Set(matches.flatMap((match) => (match.pcr === pcr && match.line !== null ? [match.line] : [])))
    if (lines.size > 1) add('LINES_DIFFER', null, `PCR ${pcr} is reached at the lines ${[...lines].join(', ')}`)
    const covered = Math.max(...lines) - before
    const after = lines.size === 0 ? 0 : entries.filter((entry, i) => entry.pcr === pcr && i >= covered).length
    if (after > 0) add('ENTRIES_AFTER', covered, `${after} entries of PCR ${pcr} came after its value`)
  }
  const [first] = entries
  const measurement = first === undefined ? undefined : readMeasurement(first.template, first.data)
  if (measurement !== undefined && pathText(measurement.path) === BOOT_AGGREGATE) {
    if (bootAggregateHolds(measurement, expected) === false) {
      add('BOOT_AGGREGATE_OTHER', 0, `the boot aggregate is not that of the ${measurement.algorithm} PCRs given`)
    }
  }
  return findings
}
