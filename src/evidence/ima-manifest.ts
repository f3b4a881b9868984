import { equal, toHex } from '../core/bytes.ts'
import type { BankName } from '../tcg/bank.ts'
import type { LoggedEvent } from '../tcg/canonical-event-log.ts'
import { decodeImaLog, isViolation, type ImaEntry, type ImaLog } from '../tcg/ima-log.ts'
import { readMeasurement, type ImaMeasurement } from '../tcg/ima-measurement.ts'
import { IMA_PCR, matchIma } from '../tcg/ima-replay.ts'

/**
 * - `IMA_ABSENT`: the kernel has no IMA log
 * - `IMA_PCR`: the log does not replay to PCR 10
 * - `IMA_SHA1`: the kernel extended SHA-1 digests only, so that nothing of the log is believed
 * - `IMA_DIFFERS`: IMA saw another file content than the manifest has
 * - `IMA_CHANGED`: IMA saw the manifest's content first, and later another one that the manifest does not have
 * - `IMA_VIOLATION`: a measured file was open for writing while IMA measured it
 * - `IMA_UNSEEN`: IMA measured none of the manifest's files
 * - `IMA_UNCOMPARABLE`: IMA measured a file by another hash, or by fs-verity; this one is no failure
 */
export type ImaFindingCode =
  | 'IMA_ABSENT'
  | 'IMA_PCR'
  | 'IMA_SHA1'
  | 'IMA_DIFFERS'
  | 'IMA_CHANGED'
  | 'IMA_VIOLATION'
  | 'IMA_UNSEEN'
  | 'IMA_UNCOMPARABLE'

/** One thing that IMA's log says against the manifest, or leaves open. */
export interface ImaFinding {
  readonly code: ImaFindingCode
  /** The manifest's event, where it is about one. */
  readonly name?: string
  /** The entry of IMA's log, from 0, where it is about one. */
  readonly entry?: number
  readonly detail: string
}

/** How the kernel's own log of what it opened agrees with the VMM's manifest. */
export interface ImaAgreement {
  /** `pass` where IMA saw at least one of the manifest's files, and none otherwise than the manifest has it. */
  readonly result: 'pass' | 'fail' | 'not covered'
  /** How many entries of the log PCR 10 covers; later ones came after the PCR was read, and are not looked at. */
  readonly covered: number
  /** Names of the manifest's events whose files IMA saw as the manifest has them. */
  readonly agreed: readonly string[]
  readonly findings: readonly ImaFinding[]
}

/** What a manifest is compared with. */
export interface ImaEvidence {
  /** `binary_runtime_measurements`, untrusted; undefined where the kernel has no IMA. */
  readonly log: Uint8Array | undefined
  /** PCR 10 by bank, as a quote or a TPM gives it; of these SHA-256 and SHA-384 are believed. */
  readonly pcr: ReadonlyMap<BankName, Uint8Array>
  /** Whether it is a failure that IMA is absent, or saw nothing. */
  readonly required: boolean
}

/**
 * Compares a manifest with IMA's log: each digest that IMA has of a measured file must be one that the manifest gives it, at
 * boot or as a change.
 *
 * IMA writes down what was opened, by its policy: a file that it did not see is not thereby wrong. The path of a violation is
 * covered by no digest, so that only one that names a measured file counts.
 *
 * @param manifest believed as far as it replays to its own PCR
 * @param pathOf the file that an event's digest is of, links resolved; undefined for a directory's listing
 * @throws ImaError for a malformed log
 */
export function compareWithIma(
  manifest: readonly LoggedEvent[],
  evidence: ImaEvidence,
  pathOf: (name: string) => string | undefined = (name) => (name.startsWith('/') ? name : undefined),
): ImaAgreement {
  const { log, pcr, required } = evidence
  if (log === undefined) {
    const extended = [...pcr.values()].some((value) => value.some((byte) => byte !== 0))
    if (extended)
      return agreement([{ code: 'IMA_PCR', detail: 'PCR 10 was extended, and no log says with what' }], 0, [], required)
    return agreement([{ code: 'IMA_ABSENT', detail: 'this kernel has no IMA log to compare with' }], 0, [], required)
  }
  const ima = decodeImaLog(log)
  const covered = coverage(ima, pcr)
  if (typeof covered !== 'number') return agreement([covered], 0, [], required)
  const { agreed, findings } = compare(ima.entries.slice(0, covered), filesOf(manifest, pathOf))
  const unseen: ImaFinding = {
    code: 'IMA_UNSEEN',
    detail: `IMA measured none of the manifest's files in ${covered} entries`,
  }
  return agreement(agreed.length + findings.length === 0 ? [unseen] : findings, covered, agreed, required)
}

/** Codes that leave open what they are about, unless IMA is required. */
const OPEN: readonly ImaFindingCode[] = ['IMA_ABSENT', 'IMA_UNSEEN', 'IMA_UNCOMPARABLE']

function agreement(
  findings: readonly ImaFinding[],
  covered: number,
  agreed: readonly string[],
  required: boolean,
): ImaAgreement {
  const failed = findings.some(({ code }) => !OPEN.includes(code)) || (required && agreed.length === 0)
  const result = failed ? 'fail' : agreed.length === 0 ? 'not covered' : 'pass'
  return { result, covered, agreed, findings }
}

/** How many entries PCR 10 covers, or why none is believed. */
function coverage({ entries }: ImaLog, pcr: ReadonlyMap<BankName, Uint8Array>): number | ImaFinding {
  const banks = (['sha256', 'sha384'] as const).flatMap((bank) => {
    const value = pcr.get(bank)
    return value === undefined ? [] : [[bank, new Map([[IMA_PCR, value]])] as const]
  })
  const matches = matchIma(entries, new Map(banks)).filter((match) => match.pcr === IMA_PCR)
  const lines = matches.map(({ line, scheme }) => (scheme === 'hash' ? line : null))
  const [line] = lines
  if (line === undefined || line === null || lines.some((other) => other !== line)) {
    const sha1 = matches.some((match) => match.scheme === 'sha1-padded' && match.line !== null)
    return sha1
      ? { code: 'IMA_SHA1', detail: 'PCR 10 holds SHA-1 digests with zeros behind them, which are not believed' }
      : { code: 'IMA_PCR', detail: `the ${entries.length} entries of IMA's log do not replay to PCR 10` }
  }
  return line
}

interface MeasuredFile {
  /** Several where links of the manifest lead to one file. */
  readonly names: string[]
  readonly digests: Uint8Array[]
}

/** The manifest's files by their path as IMA writes it. */
function filesOf(
  manifest: readonly LoggedEvent[],
  pathOf: (name: string) => string | undefined,
): ReadonlyMap<string, MeasuredFile> {
  const files = new Map<string, MeasuredFile>()
  for (const { event } of manifest) {
    const path = event.kind === 'profile' ? undefined : pathOf(event.name)
    if (path === undefined) continue
    const key = keyOf(new TextEncoder().encode(path))
    const file = files.get(key) ?? { names: [], digests: [] }
    files.set(key, file)
    if (!file.names.includes(event.name)) file.names.push(event.name)
    if (event.sha256 !== undefined) file.digests.push(event.sha256)
  }
  return files
}

/** IMA writes `_` for a space. */
function keyOf(path: Uint8Array): string {
  return toHex(path.map((byte) => (byte === 0x20 ? 0x5f : byte)))
}

function compare(
  entries: readonly ImaEntry[],
  files: ReadonlyMap<string, MeasuredFile>,
): { readonly agreed: readonly string[]; readonly findings: readonly ImaFinding[] } {
  const agreed = new Set<string>()
  const findings: ImaFinding[] = []
  entries.forEach((entry, i) => {
    if (entry.pcr !== IMA_PCR) return
    const measured = readMeasurement(entry.template, entry.data)
    const file = measured === undefined ? undefined : files.get(keyOf(measured.path))
    if (measured === undefined || file === undefined) return
    const found = isViolation(entry)
      ? violation()
      : judge(
          measured,
          file,
          file.names.some((name) => agreed.has(name)),
        )
    for (const name of file.names) {
      if (found === undefined) agreed.add(name)
      else findings.push({ ...found, name, entry: i })
    }
  })
  return { agreed: [...agreed], findings }
}

function violation(): ImaFinding {
  return { code: 'IMA_VIOLATION', detail: 'it was open for writing while IMA measured it' }
}

/** What speaks against an entry about a measured file; undefined where it agrees. */
function judge(measured: ImaMeasurement, { digests }: MeasuredFile, agreedBefore: boolean): ImaFinding | undefined {
  const { algorithm, digest, digestType = 'ima' } = measured
  if (algorithm !== 'sha256' || digestType !== 'ima') {
    return {
      code: 'IMA_UNCOMPARABLE',
      detail: `expected IMA's sha256 of the content, found ${digestType}:${algorithm}`,
    }
  }
  if (digests.some((one) => equal(one, digest))) return undefined
  const known = digests.map((one) => toHex(one)).join(' or ') || 'no file'
  return { code: agreedBefore ? 'IMA_CHANGED' : 'IMA_DIFFERS', detail: `expected ${known}, IMA saw ${toHex(digest)}` }
}
