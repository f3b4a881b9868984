import { realpathSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { VmmError } from './error.ts'
import { tssLibraries } from './tss-libraries.ts'

/** Something that is measured: a file (links are followed), or a directory with all that is below it. */
export interface VmmComponent {
  /** What the event log calls it; the same on every host that runs the same code. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Of a directory: each file below it is measured by itself, as `NAME/PATH`, so that a change names the file. */
  readonly perFile?: boolean
}

/** What is measured into which PCR, and which PCRs are quoted. */
export interface VmmProfile {
  readonly name: string
  readonly selection: PcrSelection
  /** The PCR that the components are extended into: 8 to 15, SHA-256 bank. */
  readonly pcr: number
  readonly components: readonly VmmComponent[]
  /** What the profile leaves uncovered, in words for status and report. */
  readonly note?: string
}

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))

const CI_NOTE =
  'profile ci: the vmm/ directory stands in for the VMM where no QEMU is installed; no firmware PCR is selected; ' +
  'installed npm packages are covered by package-lock.json alone'

/**
 * The profile of the local stack, in this fixed order: Attestry's own code, the Node binary that runs it, the PKCS#11
 * module, those tpm2-tss libraries that are installed, and each file of a directory that stands in for the VMM's.
 *
 * @throws VmmError `PROFILE_INVALID`, `PCR_RESETTABLE`, and `COMPONENT_MISSING` without any tpm2-tss library
 */
export function ciProfile(options: {
  readonly pkcs11Module: string
  readonly vmmDirectory: string
  readonly selection: PcrSelection
  readonly pcr: number
}): VmmProfile {
  const profile: VmmProfile = {
    name: 'ci',
    selection: options.selection,
    pcr: options.pcr,
    components: [
      ...['src', 'native', 'bin', 'package-lock.json'].map((part) => ({
        name: `attestry/${part}`,
        path: join(PROJECT, part),
      })),
      { name: 'node', path: realpathSync(process.execPath) },
      { name: 'pkcs11-module', path: options.pkcs11Module },
      ...tssLibraries(),
      { name: 'vmm', path: options.vmmDirectory, perFile: true },
    ],
    note: CI_NOTE,
  }
  checkProfile(profile)
  return profile
}

/** @throws VmmError `PROFILE_INVALID`, `PCR_RESETTABLE` */
export function checkProfile({ selection, pcr, components }: VmmProfile): void {
  const resettable = [pcr, ...selection.pcrs].find((index) => index === 16 || index === 23)
  if (resettable !== undefined) {
    throw new VmmError('PCR_RESETTABLE', `PCR ${resettable} can be reset by software and proves nothing`)
  }
  if (!Number.isInteger(pcr) || pcr < 8 || pcr > 15) {
    throw invalid(`expected a measured PCR from 8 to 15, found ${pcr}`)
  }
  if (selection.bank !== 'sha256') throw invalid(`expected the sha256 bank, found ${selection.bank}`)
  if (!selection.pcrs.includes(pcr)) throw invalid(`the PCR selection must contain the measured PCR ${pcr}`)
  if (components.length === 0) throw invalid('a profile without components measures nothing')
  const names = new Set(components.map(({ name }) => name))
  if (names.size !== components.length) throw invalid('two components have one name')
  const relative = components.find(({ path }) => !isAbsolute(path))
  if (relative !== undefined) throw invalid(`expected an absolute path for ${relative.name}, found ${relative.path}`)
}

function invalid(message: string): VmmError {
  return new VmmError('PROFILE_INVALID', message)
}
