import { concat } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { decodeCanonicalLog, encodeEvent, replayCanonicalLog, type VmmEvent } from '../tcg/canonical-event-log.ts'
import { componentOf } from './component-of.ts'
import { VmmError } from './error.ts'
import { RUNNING, type FileView } from './file-view.ts'
import { hashFile } from './hash-file.ts'
import { byPath } from './listing.ts'
import type { VmmLog } from './log-file.ts'
import { firstEvents } from './measurement.ts'
import { checkProfile, isPerFile, type VmmComponent, type VmmProfile } from './profile.ts'
import { scan, type Scan } from './scan.ts'

/** What `measure` will log and extend at the next boot. */
export interface Prediction {
  readonly log: VmmLog
  readonly events: readonly VmmEvent[]
  /** The measured PCR after it, 32 bytes. */
  readonly pcrValue: Uint8Array
}

/**
 * What a profile will measure after a reset of the TPM, once some files are other ones. Nothing is extended.
 *
 * @param options.view the files as they will be; those of the running system unless it is said
 * @param options.replaced by event name or component name, the file or directory that will be there; undefined where
 * nothing will be
 * @throws VmmError; `COMPONENT_UNKNOWN` for a name that the profile does not measure
 */
export async function predict(
  profile: VmmProfile,
  options: { readonly view?: FileView; readonly replaced?: ReadonlyMap<string, string | undefined> } = {},
): Promise<Prediction> {
  checkProfile(profile)
  const { view = RUNNING, replaced = new Map<string, string | undefined>() } = options
  const owners = new Map([...replaced.keys()].map((name) => [name, ownerOf(profile, name)]))
  const found = await Promise.all(
    profile.components.map(async (component) => {
      const { name } = component
      const files = [...owners].flatMap(([file, owner]) => (owner === component && file !== name ? [file] : []))
      const whole = replaced.has(name)
        ? await scanElsewhere(component, replaced.get(name))
        : await scan(component, undefined, view)
      return { ...whole, component, digests: await replaceFiles(whole.digests, name, files, replaced) }
    }),
  )
  const events = firstEvents(profile, found)
  const bytes = concat(...events.map((event, i) => encodeEvent(BigInt(i), profile.pcr, event)))
  const records = decodeCanonicalLog(bytes)
  return { log: { bytes, records }, events, pcrValue: replayCanonicalLog(records, profile.pcr) }
}

type Found = Pick<Scan, 'digests' | 'problem'>

function ownerOf(profile: VmmProfile, name: string): VmmComponent {
  const owner = componentOf(profile, name)
  if (owner !== undefined) return owner
  const names = profile.components.map((one) => (isPerFile(one) ? `${one.name}/…` : one.name))
  throw new VmmError('COMPONENT_UNKNOWN', `the profile ${profile.name} measures no ${name}, but ${names.join(', ')}`)
}

/** What a component's files will be, which lie elsewhere now; or nothing. */
async function scanElsewhere(component: VmmComponent, path: string | undefined): Promise<Found> {
  if (path === undefined) return { digests: new Map() }
  const scanned = await scan({ ...component, path })
  if (scanned.problem === undefined && scanned.digests.size === 0) throw missing(component.name, path)
  return scanned
}

async function replaceFiles(
  digests: ReadonlyMap<string, Uint8Array>,
  component: string,
  names: readonly string[],
  replaced: ReadonlyMap<string, string | undefined>,
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (names.length === 0) return digests
  const result = new Map(digests)
  for (const name of names) {
    const path = replaced.get(name)
    if (path === undefined) result.delete(name)
    else result.set(name, await hashNew(name, path))
  }
  const relative = [...result].map(([name, sha256]) => ({ path: name.slice(component.length + 1), sha256 }))
  return new Map(relative.toSorted(byPath).map(({ path, sha256 }) => [`${component}/${path}`, sha256]))
}

async function hashNew(name: string, path: string): Promise<Uint8Array> {
  try {
    return await hashFile(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw missing(name, path)
    if (cause instanceof VmmError) throw cause
    throw new VmmError('COMPONENT_UNREADABLE', `${name}: ${messageOf(cause)}`, { cause })
  }
}

function missing(name: string, path: string): VmmError {
  return new VmmError('COMPONENT_MISSING', `${name}: expected something to measure at ${path}`)
}
