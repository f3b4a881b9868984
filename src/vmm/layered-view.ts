import { lstatSync, readdirSync, readlinkSync, realpathSync, type Dirent, type Stats } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileView } from './file-view.ts'
import { ABSENT, stampOf, type Stamp } from './stamp.ts'

/** How many links one path may lead through (path_resolution(7)). */
const MAX_LINKS = 40

/**
 * The files as they will be: those of some directory trees, each laid over the ones behind it. Links, absolute ones too, are
 * followed inside the view, as they will be once the trees are in place.
 *
 * Where the last tree has a link for a directory at its top (`/lib` for `/usr/lib`), the other trees' directories of that
 * name belong where the link leads: a package manager puts them there.
 */
export class LayeredView implements FileView {
  readonly #roots: readonly string[]
  /** Where a link at the top of the last tree leads, by the link's path. */
  readonly #merged: ReadonlyMap<string, string>

  /** @param roots directories, the first one on top; the file system's own error for one that is not there */
  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => realpathSync(root))
    this.#merged = linksAtTop(this.#roots.at(-1) ?? '/')
  }

  stamp(path: string): Stamp {
    const place = this.#find(path)
    return place === undefined ? ABSENT : stampOf(place)
  }

  locate(path: string): string {
    return this.#find(path) ?? path
  }

  async readdir(directory: string): Promise<readonly Dirent[]> {
    const resolved = this.#resolve(directory, true) ?? directory
    const found = new Map<string, Dirent>()
    for (const place of this.#places(resolved).toReversed()) {
      // A file on top hides a directory below it, and the other way round.
      if (lookAt(place)?.isDirectory() !== true) continue
      for (const entry of await readdir(place, { withFileTypes: true })) found.set(entry.name, entry)
    }
    return [...found.values()]
  }

  readlink(path: string): Promise<string> {
    return readlink(this.#top(this.#resolve(path, false) ?? path) ?? path)
  }

  #find(path: string): string | undefined {
    const resolved = this.#resolve(path, true)
    return resolved === undefined ? undefined : this.#top(resolved)
  }

  /** A path of the view without links in it, save that its last part may be one unless `last`; undefined where nothing is. */
  #resolve(path: string, last: boolean): string | undefined {
    let [todo, done, links] = [partsOf(path), '/', 0]
    while (todo.length > 0) {
      const [part = '', ...rest] = todo
      const next = part === '..' ? dirname(done) : join(done, part)
      const place = this.#top(next)
      if (place === undefined) return undefined
      const isLink = lookAt(place)?.isSymbolicLink() === true
      if (!isLink || (rest.length === 0 && !last)) {
        ;[todo, done] = [rest, next]
        continue
      }
      if (++links > MAX_LINKS) return undefined
      const target = readlinkSync(place)
      if (target.startsWith('/')) done = '/'
      todo = [...partsOf(target), ...rest]
    }
    return done
  }

  #top(path: string): string | undefined {
    return this.#places(path).find((place) => lookAt(place) !== undefined)
  }

  /** Where a path without links may lie, from the top down. */
  #places(path: string): readonly string[] {
    const base = this.#roots.length - 1
    return this.#roots.flatMap((root, i) => {
      if (i === base) return [join(root, path)]
      if (this.#merged.has(path)) return []
      const aliases = [...this.#merged].flatMap(([link, target]) =>
        path.startsWith(`${target}/`) ? [join(root, link, path.slice(target.length))] : [],
      )
      return [join(root, path), ...aliases]
    })
  }
}

function linksAtTop(root: string): ReadonlyMap<string, string> {
  const links = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isSymbolicLink())
  return new Map(links.map(({ name }) => [`/${name}`, join('/', readlinkSync(join(root, name)))]))
}

function lookAt(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false })
}

function partsOf(path: string): readonly string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.')
}
