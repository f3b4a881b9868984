import { equal } from '../core/bytes.ts'
import { BANKS, type BankName, type PcrValues } from './bank.ts'
import { COMPUTABLE_BANKS, digestInto, type ComputableBank } from './hash.ts'
import { templateHashInto } from './ima-hash.ts'
import { isViolation, type ImaEntry } from './ima-log.ts'
import { resetValue } from './reset-value.ts'

/**
 * What a kernel extends a bank with: the template's hash by the bank's own algorithm, or, where it has not loaded that algorithm
 * (and before Linux 5.8 in every bank but SHA-1's), the SHA-1 hash with zeros behind it. The kernel decides once a boot, so a
 * log has one scheme a bank, never a mixture. In the second everything rests on SHA-1.
 */
export type ImaScheme = 'hash' | 'sha1-padded'

/** What the entries so far give one bank's PCRs under one scheme. */
export interface ImaSeries {
  readonly bank: ComputableBank
  readonly scheme: ImaScheme
  readonly pcrs: PcrValues
}

/** Where a replay stands between two parts of a log: all that must be kept to continue it. */
export interface ImaState {
  /** How many entries were replayed. */
  readonly lines: number
  readonly series: readonly ImaSeries[]
}

/** At which line a log replays to a PCR. */
export interface ImaMatch {
  readonly bank: BankName
  readonly pcr: number
  /** How many entries the PCR's value covers, counted from the log's very beginning; null where it is reached at none. */
  readonly line: number | null
  /** The scheme that reached it. */
  readonly scheme: ImaScheme
}

/** The PCR that kernels use unless told otherwise (CONFIG_IMA_MEASURE_PCR_IDX). */
export const IMA_PCR = 10

/** A state before the first entry, for some banks. */
export function startIma(banks: readonly ComputableBank[] = COMPUTABLE_BANKS): ImaState {
  const series = banks.flatMap((bank) =>
    schemesOf(bank).map((scheme) => ({ bank, scheme, pcrs: new Map<number, Uint8Array>() })),
  )
  return { lines: 0, series }
}

/**
 * Replays entries, from the beginning or from where an earlier part of the log ended. What is extended is computed from the
 * template data, never taken from the log, but for violations, which extend ones. Linear in the entries.
 */
export function replayIma(entries: readonly ImaEntry[], from: ImaState = startIma()): ImaState {
  return {
    lines: from.lines + entries.length,
    series: from.series.map((series) => ({ ...series, pcrs: extendAll(entries, series).pcrs })),
  }
}

/**
 * Finds the line at which a log replays to each PCR that it extends: entries behind it came after the PCR was read. A PCR still
 * as it was at reset covers no entry, and is reached only by a log that does not extend it. The scheme `sha1-padded` is tried
 * for a whole bank, and only where the bank's own hash reaches no line.
 *
 * @param expected PCR values by bank, as far as they are trusted; PCRs that the log does not extend are not looked at
 * @param from where an earlier part of the log ended
 * @returns one for each PCR that is in both; none for a bank whose hash cannot be computed
 */
export function matchIma(
  entries: readonly ImaEntry[],
  expected: ReadonlyMap<BankName, PcrValues>,
  from: ImaState = startIma(),
): readonly ImaMatch[] {
  const extended = new Set(entries.map(({ pcr }) => pcr))
  for (const { pcrs } of from.series) for (const pcr of pcrs.keys()) extended.add(pcr)
  if (extended.size === 0) extended.add(IMA_PCR)
  return COMPUTABLE_BANKS.flatMap((bank) => {
    const wanted = new Map(Array.from(expected.get(bank) ?? []).filter(([pcr]) => extended.has(pcr)))
    if (wanted.size === 0) return []
    const candidates = from.series.filter((series) => series.bank === bank)
    let matches: readonly ImaMatch[] = []
    for (const series of candidates) {
      const { lines } = extendAll(entries, series, from.lines, wanted)
      const found = Array.from(wanted.keys(), (pcr) => ({
        bank,
        pcr,
        line: lines.get(pcr) ?? null,
        scheme: series.scheme,
      }))
      if (matches.length === 0 || found.some(({ line }) => line !== null)) matches = found
      if (found.some(({ line }) => line !== null)) break
    }
    return matches
  })
}

function schemesOf(bank: ComputableBank): readonly ImaScheme[] {
  return bank === 'sha1' ? ['hash'] : ['hash', 'sha1-padded']
}

/** Extends a series' PCRs by each entry; notes at which line one has the value that is wanted. */
function extendAll(
  entries: readonly ImaEntry[],
  { bank, scheme, pcrs: before }: ImaSeries,
  linesBefore = 0,
  wanted: PcrValues = new Map(),
): { readonly pcrs: PcrValues; readonly lines: ReadonlyMap<number, number> } {
  const { length } = BANKS[bank]
  const pcrs = new Map(Array.from(before, ([pcr, value]) => [pcr, Uint8Array.from(value)]))
  const lines = new Map<number, number>()
  for (const [pcr, value] of wanted) {
    const untouched = linesBefore === 0 && !entries.some((entry) => entry.pcr === pcr)
    const start = before.get(pcr) ?? (untouched ? resetValue(bank, pcr) : undefined)
    if (start !== undefined && equal(start, value)) lines.set(pcr, linesBefore)
  }
  // Old value and extension, side by side: what is hashed at each step.
  const both = new Uint8Array(2 * length)
  entries.forEach((entry, i) => {
    const { pcr } = entry
    const value = pcrs.get(pcr) ?? Uint8Array.from(resetValue(bank, pcr))
    both.set(value)
    const violated = isViolation(entry)
    both.fill(violated ? 0xff : 0, length)
    if (!violated) templateHashInto(entry, scheme === 'hash' ? bank : 'sha1', both, length)
    digestInto(bank, both, value)
    pcrs.set(pcr, value)
    const want = wanted.get(pcr)
    if (want !== undefined && !lines.has(pcr) && equal(want, value)) lines.set(pcr, linesBefore + i + 1)
  })
  return { pcrs, lines }
}
