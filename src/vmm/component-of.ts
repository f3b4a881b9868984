import { realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isPerFile, type VmmComponent, type VmmProfile } from './profile.ts'
import { isNamedLike } from './scan.ts'

/** The component that measures what has this event name; of several, the one with the longest name. */
export function componentOf({ components }: VmmProfile, name: string): VmmComponent | undefined {
  return components
    .filter((component) => component.name === name || isFileOf(component, name))
    .toSorted((a, b) => b.name.length - a.name.length)[0]
}

/** The file, links resolved, whose content an event's digest is of; undefined for a directory's listing, or where none is. */
export function fileOf(profile: VmmProfile, name: string): string | undefined {
  const component = componentOf(profile, name)
  if (component === undefined) return undefined
  const path = join(component.path, name.slice(component.name.length))
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined
  return realpathSync(path)
}

function isFileOf(component: VmmComponent, name: string): boolean {
  if (!isPerFile(component) || !name.startsWith(`${component.name}/`)) return false
  const parts = name.slice(component.name.length + 1).split('/')
  return parts.every((part) => !['', '.', '..'].includes(part)) && isNamedLike(parts[0] ?? '', component.only)
}
