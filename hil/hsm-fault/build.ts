import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const SOURCE = fileURLToPath(new URL('fault-module.c', import.meta.url))
/** The binding brings the standard's header. */
const HEADERS = fileURLToPath(new URL('../../node_modules/pkcs11js/includes/pkcs11', import.meta.url))
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-fPIC', '-shared']

/** Compiles hil/hsm-fault/fault-module.c into `dir`. @returns the module's path */
export async function buildFaultModule(dir: string): Promise<string> {
  const module = join(dir, 'fault-module.so')
  await promisify(execFile)('gcc', [...FLAGS, '-isystem', HEADERS, '-o', module, SOURCE, '-ldl', '-lpthread'])
  return module
}
