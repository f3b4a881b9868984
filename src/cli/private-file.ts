import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { UsageError } from './error.ts'
import { fileFault } from './file-fault.ts'

/**
 * The bytes of a file with a secret, which only its owner may read.
 *
 * @throws UsageError `FILE_UNREADABLE`, also where its mode is more than 0600
 */
export function readPrivate(path: string): Uint8Array {
  let fd: number | undefined
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    fd = openSync(resolve(path), constants.O_RDONLY | constants.O_NONBLOCK)
    const mode = fstatSync(fd).mode & 0o777
    if ((mode & 0o077) === 0) return readFileSync(fd)
    const found = mode.toString(8).padStart(4, '0')
    throw new UsageError('FILE_UNREADABLE', `${path}: expected mode 0600 or stricter, found ${found}: chmod 600 it`)
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError('FILE_UNREADABLE', `cannot read ${path}: ${fileFault(cause)}`, { cause })
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
