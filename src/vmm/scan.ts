import { statSync, type Dirent } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { messageOf } from '../core/error.ts'
import { VmmError } from './error.ts'
import { RUNNING, type FileView } from './file-view.ts'
import { hashFile } from './hash-file.ts'
import { byPath, hashListing, type ListingEntry } from './listing.ts'
import { isPerFile, type VmmComponent } from './profile.ts'
import { isSettled, leadsNowhere, type Stamp } from './stamp.ts'

/** One component as it was found. Never changed once made. */
export interface Scan {
  readonly component: VmmComponent
  /** SHA-256 by event name, in log order; empty where nothing is there. */
  readonly digests: ReadonlyMap<string, Uint8Array>
  /** By path, all that was looked at: directories too, so that a new file shows. */
  readonly stamps: ReadonlyMap<string, Stamp>
  /** SHA-256 by path. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** The directories that it consists of. */
  readonly directories: readonly string[]
  /** When it was begun, ms since the epoch. */
  readonly takenAt: number
  /** `COMPONENT_INVALID`: why it has no digest although something is there. */
  readonly problem?: VmmError
}

/** How often a component that changes while it is read is read again before what was read is taken as it is. */
const ATTEMPTS = 5

/**
 * Hashes a component. What `previous` saw and whose stamp has not changed since is not read again.
 *
 * @param previous of the same view
 * @throws VmmError `COMPONENT_UNREADABLE`
 */
export async function scan(component: VmmComponent, previous?: Scan, view = RUNNING): Promise<Scan> {
  let last = previous
  for (let attempt = 1; ; attempt++) {
    try {
      last = await scanOnce(component, last, view)
      if (attempt === ATTEMPTS || stampsHold(last, view)) return last
    } catch (cause) {
      // Something may have gone between being listed and being read: the next attempt sees what is there then.
      if (attempt === ATTEMPTS) {
        throw new VmmError('COMPONENT_UNREADABLE', `${component.name}: ${messageOf(cause)}`, { cause })
      }
    }
  }
}

/** Whether nothing of the running system has changed since: a look at every stamp and no reading, a few microseconds for each file. */
export function isCurrent(scanned: Scan): boolean {
  if (scanned.problem !== undefined) return false
  for (const stamp of scanned.stamps.values()) if (!isSettled(stamp, scanned.takenAt)) return false
  return stampsHold(scanned, RUNNING)
}

/** Whether something directly in a component's directory is part of it. */
export function isNamedLike(name: string, patterns?: readonly string[]): boolean {
  return patterns === undefined || patterns.some((pattern) => matchesGlob(name, pattern))
}

function stampsHold({ stamps }: Scan, view: FileView): boolean {
  for (const [path, stamp] of stamps) if (view.stamp(path) !== stamp) return false
  return true
}

async function scanOnce(component: VmmComponent, previous: Scan | undefined, view: FileView): Promise<Scan> {
  const { name, path, only } = component
  const walk = new Walk(previous, view)
  const digests = new Map<string, Uint8Array>()
  const result = { component, digests, stamps: walk.stamps, files: walk.files, directories: walk.directories }
  const takenAt = Date.now()
  try {
    if (leadsNowhere(walk.look(path))) return { ...result, takenAt }
    if (!statSync(view.locate(path)).isDirectory()) digests.set(name, await walk.hash(path))
    else {
      const entries = (await walk.list(path, '', only)).toSorted(byPath)
      if (!isPerFile(component)) digests.set(name, hashListing(entries))
      else for (const { path, sha256 } of entries) if (sha256 !== undefined) digests.set(`${name}/${path}`, sha256)
    }
    return { ...result, takenAt }
  } catch (thrown) {
    if (!(thrown instanceof VmmError)) throw thrown
    return { ...result, digests: new Map(), takenAt, problem: thrown }
  }
}

/** One pass over a component. */
class Walk {
  readonly stamps = new Map<string, Stamp>()
  readonly files = new Map<string, Uint8Array>()
  readonly directories: string[] = []
  readonly #previous: Scan | undefined
  readonly #view: FileView

  constructor(previous: Scan | undefined, view: FileView) {
    this.#previous = previous
    this.#view = view
  }

  /** Takes a stamp, always before the content is read: a write in between leaves a stamp that no longer holds. */
  look(path: string): Stamp {
    const stamp = this.#view.stamp(path)
    this.stamps.set(path, stamp)
    return stamp
  }

  async hash(path: string): Promise<Uint8Array> {
    const stamp = this.look(path)
    const sha256 = this.#known(path, stamp) ?? (await hashFile(this.#view.locate(path)))
    this.files.set(path, sha256)
    return sha256
  }

  async list(directory: string, prefix: string, only?: readonly string[]): Promise<ListingEntry[]> {
    this.look(directory)
    this.directories.push(directory)
    const entries: ListingEntry[] = []
    for (const found of await this.#view.readdir(directory)) {
      if (prefix === '' && !isNamedLike(found.name, only)) continue
      const path = join(directory, found.name)
      const relative = prefix + found.name
      refuseOdd(found, path, this.#view)
      if (found.isDirectory()) {
        entries.push({ path: relative }, ...(await this.list(path, `${relative}/`)))
      } else {
        const target = found.isSymbolicLink() ? { target: await this.#view.readlink(path) } : {}
        entries.push({ path: relative, ...target, sha256: await this.hash(path) })
      }
    }
    return entries
  }

  #known(path: string, stamp: Stamp): Uint8Array | undefined {
    const previous = this.#previous
    if (previous?.stamps.get(path) !== stamp || !isSettled(stamp, previous.takenAt)) return undefined
    return previous.files.get(path)
  }
}

function refuseOdd(found: Dirent, path: string, view: FileView): void {
  if (!found.isFile() && !found.isDirectory() && !found.isSymbolicLink()) {
    throw new VmmError('COMPONENT_INVALID', `${path} is neither a file nor a directory`)
  }
  if (found.isSymbolicLink() && leadsNowhere(view.stamp(path))) {
    throw new VmmError('COMPONENT_INVALID', `${path} is a link to nothing`)
  }
  // Two names that are not UTF-8 could look the same in the log.
  if (found.name.includes('\ufffd')) throw new VmmError('COMPONENT_INVALID', `${path} is not named in UTF-8`)
}
