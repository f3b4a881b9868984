import type { VmmEvent } from '../tcg/canonical-event-log.ts'
import { DirectoryWatches } from './directory-watches.ts'
import { withLock } from './lock.ts'
import { bringUpToDate, type Measured, type MeasuringTpm } from './measurement.ts'
import { checkProfile, type VmmProfile } from './profile.ts'
import { isCurrent, scan, type Scan } from './scan.ts'
import { watchedNames, type WatchedNames } from './watched-names.ts'

/** How often a watch looks without being told, and how soon again where it is told. All in ms. */
export interface WatchIntervals {
  /**
   * At every file's stamp: what inotify does not say (a mount over a file or directory, a write through another name of the
   * same file or through mapped memory, whatever comes while the kernel's queue of events is full).
   */
  readonly look: number
  /**
   * At every file's content: a file that is mapped may be written to again without a new stamp before its pages are written
   * back, and on a file system in memory always.
   */
  readonly read: number
  /**
   * How long it lets files be after it has extended a change, or failed to, unless `verifyComponents` asks: what is written to
   * all the time would otherwise extend as fast as TPM and disk can. Not after a look that found all as it was: by being touched
   * a file must not win time in which to be another one unseen.
   */
  readonly rest: number
}

const INTERVALS: WatchIntervals = { look: 1000, read: 300_000, rest: 1000 }

/**
 * Measures as `measure` does, and from then on extends every change of a component, as soon as it is noticed.
 *
 * @param onChanged called once for each event, after the PCR was extended with it; it must not throw
 * @throws VmmError; the TPM's own error
 */
export async function watchVmm(
  tpm: MeasuringTpm,
  profile: VmmProfile,
  logPath: string,
  onChanged: (event: VmmEvent) => void,
  intervals = INTERVALS,
): Promise<VmmWatch> {
  checkProfile(profile)
  const vmmWatch = new VmmWatch(tpm, profile, logPath, onChanged, intervals)
  try {
    await vmmWatch.start()
    return vmmWatch
  } catch (error) {
    await vmmWatch.close()
    throw error
  }
}

/**
 * A watch over a profile's components. Made by `watchVmm`.
 *
 * Left to itself it extends at most once in each `rest`, what changed until then in one go. So a file that is written to all the time
 * extends 3600 times an hour, some 400 KB of log; the bounds of a canonical event log, which it does not pass, come after 18 hours.
 */
export class VmmWatch {
  readonly #tpm: MeasuringTpm
  readonly #profile: VmmProfile
  readonly #logPath: string
  readonly #onChanged: (event: VmmEvent) => void
  readonly #intervals: WatchIntervals
  readonly #watches = new DirectoryWatches((directory, name) => this.#noticed(directory, name))
  readonly #scans: (Scan | undefined)[]
  #names: readonly ReadonlyMap<string, WatchedNames>[] = []
  /** Components to look at again, by index. */
  readonly #dirty = new Set<number>()
  /** Of these, what was read before is not believed, by whatever stamp. */
  readonly #doubted = new Set<number>()
  #timers: readonly NodeJS.Timeout[] = []
  /** Runs while nothing is looked at unasked. */
  #rest: NodeJS.Timeout | undefined
  #measured: Measured | undefined
  #failure: unknown
  /** The round at work, and the one that begins when it has ended. */
  #round: Promise<void> | undefined
  #next: Promise<void> | undefined
  #closed = false

  constructor(
    tpm: MeasuringTpm,
    profile: VmmProfile,
    logPath: string,
    onChanged: (event: VmmEvent) => void,
    intervals: WatchIntervals,
  ) {
    this.#tpm = tpm
    this.#profile = profile
    this.#logPath = logPath
    this.#onChanged = onChanged
    this.#intervals = intervals
    this.#scans = profile.components.map(() => undefined)
  }

  /** The measurement as it was last brought up to date. */
  get measured(): Measured {
    if (this.#measured === undefined) throw new Error('the watch was not started')
    return this.#measured
  }

  /**
   * Why the last change could not be measured. It is tried again at the next look or event, and by `verifyComponents`; until
   * then the PCR may say less than is known.
   */
  get failure(): unknown {
    return this.#failure
  }

  /** Only for `watchVmm`. */
  async start(): Promise<void> {
    const { look, read } = this.#intervals
    this.#markStale()
    await this.#run()
    // What happened in a directory before it was watched was marked by the round that began to watch it.
    if (this.#dirty.size > 0) await this.#run()
    if (this.#closed) return
    this.#timers = [setInterval(() => this.#look(), look), setInterval(() => this.#doubt(), read)]
    for (const timer of this.#timers) timer.unref()
  }

  /**
   * Makes sure that the PCR says what the files are now, also where no event came: looks at every file's stamp, and reads
   * and extends only what is not as it was. Call it before an operation; where it throws, the host cannot be trusted. Files
   * that are written to all the time hold it no longer than others: what is written after this call may be left to the watch.
   *
   * @throws VmmError; the TPM's own error
   */
  async verifyComponents(): Promise<void> {
    if (this.#closed) throw new Error('the watch was closed')
    this.#markStale()
    if (this.#dirty.size > 0 || this.#failure !== undefined) await this.#run()
    else await this.#round
  }

  /** Stops watching, once what is being measured has been. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#rest)
    this.#watches.close()
    await (this.#next ?? this.#round)?.catch(() => undefined)
  }

  #noticed(directory: string, name: string | null): void {
    if (this.#closed) return
    this.#names.forEach((names, i) => {
      const matter = names.get(directory)
      if (matter === 'all' || (matter !== undefined && (name === null || matter.has(name)))) this.#dirty.add(i)
    })
    this.#runUnasked()
  }

  #look(): void {
    if (this.#round !== undefined) return
    this.#markStale()
    this.#runUnasked()
  }

  #doubt(): void {
    this.#scans.forEach((_, i) => {
      this.#dirty.add(i)
      this.#doubted.add(i)
    })
    this.#runUnasked()
  }

  #runUnasked(): void {
    // A round at work ends with this, and may begin a rest.
    const isBusy = (this.#next ?? this.#round) !== undefined || this.#rest !== undefined
    // A failure is kept for verifyComponents, which tries again and throws it.
    if (this.#dirty.size > 0 && !this.#closed && !isBusy) this.#run().catch(() => undefined)
  }

  /**
   * One round at a time: what is noticed while one is at work, however often, is one more. Resolves when a round has ended
   * that began after the call.
   */
  #run(): Promise<void> {
    this.#next ??= this.#after(this.#round)
    return this.#next
  }

  async #after(earlier: Promise<void> | undefined): Promise<void> {
    await earlier?.catch(() => undefined)
    this.#round = this.#next
    this.#next = undefined
    try {
      if (!this.#closed) await this.#work()
    } finally {
      this.#round = undefined
    }
    this.#runUnasked()
  }

  async #work(): Promise<void> {
    const batch = [...this.#dirty]
    this.#dirty.clear()
    try {
      await this.#rescan(batch)
      await this.#extend()
      this.#failure = undefined
    } catch (error) {
      for (const i of batch) this.#dirty.add(i)
      this.#failure = error
      this.#letBe()
      throw error
    }
  }

  async #rescan(batch: readonly number[]): Promise<void> {
    await Promise.all(
      batch.map(async (i) => {
        const component = this.#profile.components[i]
        if (component === undefined) return
        const doubted = this.#doubted.delete(i)
        try {
          this.#scans[i] = await scan(component, doubted ? undefined : this.#scans[i])
        } catch (error) {
          if (doubted) this.#doubted.add(i)
          throw error
        }
      }),
    )
    if (this.#closed) return
    this.#names = this.#scans.map((scanned) => (scanned === undefined ? new Map() : watchedNames(scanned)))
    const added = this.#watches.follow(this.#names.flatMap((names) => [...names.keys()]))
    // What happened in a directory between its scan and its watch shows in a second look.
    if (added) this.#markStale()
  }

  #markStale(): void {
    this.#scans.forEach((scanned, i) => {
      if (scanned === undefined || !isCurrent(scanned)) this.#dirty.add(i)
    })
  }

  async #extend(): Promise<void> {
    const scans = this.#scans.filter((scanned) => scanned !== undefined)
    const when = this.#measured === undefined ? 'may be first' : 'not first'
    this.#measured = await withLock(this.#logPath, () =>
      bringUpToDate(this.#tpm, this.#profile, this.#logPath, scans, when),
    )
    if (when === 'may be first') return
    const { events, extended } = this.#measured
    if (extended > 0) this.#letBe()
    for (const event of events.slice(events.length - extended)) this.#onChanged(event)
  }

  #letBe(): void {
    clearTimeout(this.#rest)
    if (this.#closed) return
    this.#rest = setTimeout(() => {
      this.#rest = undefined
      this.#runUnasked()
    }, this.#intervals.rest)
    this.#rest.unref()
  }
}
