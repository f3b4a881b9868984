import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Scan } from './scan.ts'

/** In a directory, the names whose events matter, or all of them. */
export type WatchedNames = ReadonlySet<string> | 'all'

/** How many links one path may lead through (path_resolution(7)). */
const MAX_LINKS = 40

/**
 * Where to watch for a change of a component: in every directory that it consists of, and on the way to each of its files,
 * so that a directory or a link that is exchanged further up is noticed as well.
 */
export function watchedNames({ component, files, directories }: Scan): ReadonlyMap<string, WatchedNames> {
  const names = new Map<string, Set<string> | 'all'>()
  trace(component.path, names)
  for (const directory of directories) names.set(directory, 'all')
  for (const file of files.keys()) if (isLink(file)) trace(file, names)
  return names
}

function trace(path: string, names: Map<string, Set<string> | 'all'>, links = 0): void {
  const parts = path.split('/').filter((part) => part !== '')
  let directory = '/'
  for (const part of parts) {
    const known = names.get(directory)
    if (known === undefined) names.set(directory, new Set([part]))
    else if (known !== 'all') known.add(part)
    const next = join(directory, part)
    if (isLink(next)) {
      if (links < MAX_LINKS) trace(resolve(dirname(next), readlinkSync(next)), names, links + 1)
    }
    directory = next
  }
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}
