import type { Dirent } from 'node:fs'
import { readdir, readlink } from 'node:fs/promises'
import { stampOf, type Stamp } from './stamp.ts'

/** Which files a scan sees under the paths that a profile names. */
export interface FileView {
  /** As `stampOf`. */
  stamp(path: string): Stamp
  /** Where to read what the path leads to, links followed. Only for what is there. */
  locate(path: string): string
  readdir(directory: string): Promise<readonly Dirent[]>
  readlink(path: string): Promise<string>
}

/** The files of the running system. */
export const RUNNING: FileView = {
  stamp: stampOf,
  locate: (path) => path,
  readdir: (directory) => readdir(directory, { withFileTypes: true }),
  readlink: (path) => readlink(path),
}
