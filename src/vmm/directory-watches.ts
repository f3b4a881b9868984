import { statSync, watch, type FSWatcher } from 'node:fs'
import { messageOf } from '../core/error.ts'
import { VmmError } from './error.ts'

interface Watch {
  readonly watcher: FSWatcher
  /** Which directory it really watches: another one may have taken its name. */
  readonly identity: string
}

/** inotify watches on directories, never on single files: those are lost when a file is renamed over. */
export class DirectoryWatches {
  readonly #watches = new Map<string, Watch>()
  readonly #onEvent: (directory: string, name: string | null) => void

  /** @param onEvent the name is null where the kernel did not say it, or events were lost */
  constructor(onEvent: (directory: string, name: string | null) => void) {
    this.#onEvent = onEvent
  }

  /**
   * Watches exactly these directories; those that are not there are left out.
   *
   * @returns whether a watch was added: what happened there before went unseen
   * @throws VmmError `WATCH_FAILED`
   */
  follow(wanted: Iterable<string>): boolean {
    const directories = new Set(wanted)
    for (const directory of this.#watches.keys()) if (!directories.has(directory)) this.#drop(directory)
    let added = false
    for (const directory of directories) {
      const identity = identityOf(directory)
      if (this.#watches.get(directory)?.identity === identity) continue
      this.#drop(directory)
      if (identity === undefined) continue
      this.#add(directory, identity)
      added = true
    }
    return added
  }

  close(): void {
    for (const directory of [...this.#watches.keys()]) this.#drop(directory)
  }

  #add(directory: string, identity: string): void {
    try {
      const watcher = watch(directory, { persistent: false }, (_, name) => this.#onEvent(directory, name))
      watcher.on('error', () => {
        this.#drop(directory)
        this.#onEvent(directory, null)
      })
      this.#watches.set(directory, { watcher, identity })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
      throw new VmmError('WATCH_FAILED', `cannot watch ${directory}: ${messageOf(cause)}`, { cause })
    }
  }

  #drop(directory: string): void {
    this.#watches.get(directory)?.watcher.close()
    this.#watches.delete(directory)
  }
}

/** Device and inode of a directory; undefined where there is none. */
function identityOf(directory: string): string | undefined {
  const stats = statSync(directory, { bigint: true, throwIfNoEntry: false })
  return stats?.isDirectory() === true ? `${stats.dev}:${stats.ino}` : undefined
}
