import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { VmmComponent } from './profile.ts'
import { tssLibraries } from './tss-libraries.ts'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * What measures, attests and signs, in this fixed order: parts of this installation, the Node binary that runs it, the
 * PKCS#11 module, and those tpm2-tss libraries that are installed.
 *
 * @param parts names in the directory that Attestry is installed in
 * @throws VmmError `COMPONENT_MISSING` without any tpm2-tss library
 */
export function agentComponents(pkcs11Module: string, parts: readonly string[]): readonly VmmComponent[] {
  return [
    ...parts.map((part) => ({ name: `attestry/${part}`, path: join(PROJECT, part) })),
    { name: 'node', path: realpathSync(process.execPath) },
    { name: 'pkcs11-module', path: pkcs11Module },
    ...tssLibraries(),
  ]
}
