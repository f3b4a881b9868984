import { equal } from '../core/bytes.ts'
import { eventDigest, replayCanonicalLog, type VmmEvent } from '../tcg/canonical-event-log.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { VmmError } from './error.ts'
import { isFirmwarePcr, requireFirmwarePcrs } from './firmware-pcrs.ts'
import { withLock } from './lock.ts'
import { appendEvents, putAside, readVmmLog, type VmmLog } from './log-file.ts'
import { checkProfile, type VmmProfile } from './profile.ts'
import { scan, type Scan } from './scan.ts'

/** What measuring needs of a TPM. Both may fail; after a failed extend it is not known whether the PCR was extended. */
export interface MeasuringTpm {
  readPcrs(selection: PcrSelection): Promise<ReadonlyMap<number, Uint8Array>>
  /** SHA-256 bank. */
  extendPcr(pcr: number, digest: Uint8Array): Promise<void>
}

/** A measurement that the log explains. */
export interface Measured {
  /** The whole log of this boot. */
  readonly log: VmmLog
  readonly events: readonly VmmEvent[]
  /** The measured PCR, 32 bytes: the log's replay. */
  readonly pcrValue: Uint8Array
  /** How many events were extended now; the last ones of the log. */
  readonly extended: number
}

/**
 * Measures: after a reset of the TPM everything, later what changed since it was last logged, which may be nothing.
 *
 * Each event is on disk before the PCR is extended with it, and what a crash in between left is extended first. The log of
 * an earlier boot is kept as `LOG.1`.
 *
 * @throws VmmError; the TPM's own error
 */
export async function measure(tpm: MeasuringTpm, profile: VmmProfile, logPath: string): Promise<Measured> {
  checkProfile(profile)
  const scans = await Promise.all(profile.components.map((component) => scan(component)))
  return withLock(logPath, () => bringUpToDate(tpm, profile, logPath, scans, 'may be first'))
}

/**
 * Reads PCRs together with the log that explains the measured one, of one moment.
 *
 * @throws VmmError `LOG_MISMATCH`, `LOG_INVALID`, `LOG_BUSY`, `PCR_ZERO`; the TPM's own error
 */
export async function readMeasurement(
  tpm: Pick<MeasuringTpm, 'readPcrs'>,
  { pcr, selection }: Pick<VmmProfile, 'pcr' | 'selection'>,
  logPath: string,
): Promise<{ values: ReadonlyMap<number, Uint8Array>; log: VmmLog }> {
  return withLock(logPath, async () => {
    const log = await readVmmLog(logPath)
    const values = await tpm.readPcrs(selection)
    requireFirmwarePcrs(values)
    const value = values.get(pcr)
    if (log.records.length > 0 && value !== undefined && equal(replayCanonicalLog(log.records, pcr), value))
      return { values, log }
    throw new VmmError('LOG_MISMATCH', `${logPath} does not replay to PCR ${pcr}: measure first (attestry measure)`)
  })
}

/**
 * Makes log and PCR say what the scans found. The caller holds the log's lock.
 *
 * @param when `not first`: a PCR that is zero is refused, as the TPM was then reset behind a running system
 */
export async function bringUpToDate(
  tpm: MeasuringTpm,
  profile: VmmProfile,
  logPath: string,
  scans: readonly Scan[],
  when: 'may be first' | 'not first',
): Promise<Measured> {
  if (when === 'may be first') await requireFirmware(tpm, profile)
  const before = await settle(tpm, profile, logPath, when)
  const isFirst = before.log.records.length === 0
  const events = isFirst ? firstEvents(profile, scans) : changes(before.log, scans)
  const append = () => appendEvents(logPath, before.log, profile.pcr, events)
  const log = events.length === 0 ? before.log : await (isFirst ? append() : logged(append, tpm, profile, events))
  for (const event of events) await tpm.extendPcr(profile.pcr, eventDigest(event))
  const pcrValue = replayCanonicalLog(log.records, profile.pcr)
  if (events.length > 0 && !equal(await readPcr(tpm, profile), pcrValue)) throw mismatch(profile, logPath)
  return { log, events: log.records.map(({ event }) => event), pcrValue, extended: events.length + before.extended }
}

/**
 * A change that cannot be logged is extended all the same: a PCR that stayed as it was would go on vouching for what is no longer
 * there. No log explains it from then on, until the next boot.
 */
async function logged(
  append: () => Promise<VmmLog>,
  tpm: MeasuringTpm,
  { pcr }: VmmProfile,
  events: readonly VmmEvent[],
): Promise<VmmLog> {
  try {
    return await append()
  } catch (error) {
    for (const event of events) await tpm.extendPcr(pcr, eventDigest(event))
    throw error
  }
}

/** Nothing is extended behind firmware that is quoted and has not measured itself. Later it stays as it was. */
async function requireFirmware(tpm: MeasuringTpm, { selection }: VmmProfile): Promise<void> {
  const pcrs = selection.pcrs.filter(isFirmwarePcr)
  if (pcrs.length > 0) requireFirmwarePcrs(await tpm.readPcrs({ bank: selection.bank, pcrs }))
}

/** The log of this boot, all of it extended. */
async function settle(
  tpm: MeasuringTpm,
  profile: VmmProfile,
  logPath: string,
  when: 'may be first' | 'not first',
): Promise<{ log: VmmLog; extended: number }> {
  const { pcr } = profile
  const value = await readPcr(tpm, profile)
  const reset = value.every((byte) => byte === 0)
  if (reset && when === 'not first') {
    throw new VmmError('LOG_MISMATCH', `PCR ${pcr} was reset while this was running: measure again`)
  }
  const log = await earlierBoot(reset, logPath)
  if (reset) return { log, extended: 0 }
  const { records } = log
  // All but the first attempt look for the point at which a crash stopped the extending.
  let done = records.length
  while (done > 0 && !equal(replayCanonicalLog(records.slice(0, done), pcr), value)) done--
  const [first] = records
  if (done === 0 || first === undefined) throw mismatch(profile, logPath)
  if (first.event.kind !== 'profile' || first.event.name !== profile.name || records.some((r) => r.pcr !== pcr)) {
    throw new VmmError('LOG_MISMATCH', `${logPath} is not a log of the profile ${profile.name} in PCR ${pcr}`)
  }
  for (const { digest } of records.slice(done)) await tpm.extendPcr(pcr, digest)
  return { log, extended: records.length - done }
}

/** The log, emptied where the PCR was reset since it was written: it may then be unreadable as well. */
async function earlierBoot(reset: boolean, logPath: string): Promise<VmmLog> {
  if (!reset) return readVmmLog(logPath)
  await putAside(logPath)
  return readVmmLog(logPath)
}

/**
 * What is extended after a reset, in order.
 *
 * @throws VmmError `COMPONENT_MISSING`, `COMPONENT_INVALID`
 */
export function firstEvents(
  profile: VmmProfile,
  scans: readonly Pick<Scan, 'component' | 'digests' | 'problem'>[],
): readonly VmmEvent[] {
  const events: VmmEvent[] = [{ kind: 'profile', name: profile.name }]
  for (const { component, digests, problem } of scans) {
    if (problem !== undefined) throw problem
    if (digests.size === 0) {
      if (component.optional === true) {
        events.push({ kind: 'component', name: component.name })
        continue
      }
      throw new VmmError('COMPONENT_MISSING', `${component.name}: expected something to measure at ${component.path}`)
    }
    for (const [name, sha256] of digests) events.push({ kind: 'component', name, sha256 })
  }
  requireSome(profile, events)
  return events
}

function requireSome({ required = [] }: VmmProfile, events: readonly VmmEvent[]): void {
  const there = events.filter(({ sha256 }) => sha256 !== undefined).map(({ name }) => name)
  const missing = required.find(({ prefixes }) => !there.some((name) => prefixes.some((one) => name.startsWith(one))))
  if (missing === undefined) return
  const { what, prefixes } = missing
  throw new VmmError('COMPONENT_MISSING', `expected ${what} at one of ${prefixes.map((one) => `${one}*`).join(', ')}`)
}

/** What is not as it was last logged. */
function changes(log: VmmLog, scans: readonly Scan[]): readonly VmmEvent[] {
  const logged = new Map<string, Uint8Array | undefined>()
  for (const { event } of log.records) if (event.kind !== 'profile') logged.set(event.name, event.sha256)
  const found = new Map(scans.flatMap(({ digests }) => [...digests]))
  const events: VmmEvent[] = []
  for (const [name, sha256] of found) {
    const last = logged.get(name)
    if (last === undefined || !equal(last, sha256)) events.push({ kind: 'changed', name, sha256 })
  }
  for (const [name, last] of logged) if (last !== undefined && !found.has(name)) events.push({ kind: 'changed', name })
  return events
}

async function readPcr(tpm: MeasuringTpm, { pcr }: VmmProfile): Promise<Uint8Array> {
  const value = (await tpm.readPcrs({ bank: 'sha256', pcrs: [pcr] })).get(pcr)
  if (value?.length !== 32) throw new VmmError('LOG_MISMATCH', `the TPM gives no SHA-256 value for PCR ${pcr}`)
  return value
}

function mismatch({ pcr }: VmmProfile, logPath: string): VmmError {
  return new VmmError('LOG_MISMATCH', `${logPath} does not replay to PCR ${pcr}: reboot and measure again`)
}
