import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { VmmError } from './error.ts'

/** The loader's directories in its order of search (Debian's /etc/ld.so.conf.d, then the built-in ones). */
const DIRECTORIES: readonly string[] = [
  '/usr/local/lib',
  ...(process.arch === 'x64' ? ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'] : []),
  ...(process.arch === 'arm64' ? ['/lib/aarch64-linux-gnu', '/usr/lib/aarch64-linux-gnu'] : []),
  '/lib64',
  '/usr/lib64',
  '/lib',
  '/usr/lib',
]

/** What the TPM device loads, and what those load in turn. */
const LIBRARIES: readonly string[] = [
  'libtss2-esys.so.0',
  'libtss2-sys.so.1',
  'libtss2-mu.so.0',
  'libtss2-rc.so.0',
  'libtss2-tctildr.so.0',
  'libtss2-tcti-device.so.0',
  'libtss2-tcti-swtpm.so.0',
]

/** The tpm2-tss libraries that are installed, each where the loader finds it first. @throws VmmError `COMPONENT_MISSING` */
export function tssLibraries(): readonly { readonly name: string; readonly path: string }[] {
  const found = LIBRARIES.flatMap((library) => {
    const directory = DIRECTORIES.find((candidate) => existsSync(join(candidate, library)))
    return directory === undefined ? [] : [{ name: `tpm2-tss/${library}`, path: join(directory, library) }]
  })
  if (found.length === 0) {
    throw new VmmError('COMPONENT_MISSING', `no tpm2-tss library in ${DIRECTORIES.join(', ')}`)
  }
  return found
}
