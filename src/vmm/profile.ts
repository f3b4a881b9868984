import { isAbsolute } from 'node:path'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { VmmError } from './error.ts'

/** Something that is measured: a file (links are followed), or a directory with all that is below it. */
export interface VmmComponent {
  /** What the event log calls it; the same on every host that runs the same code. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Of a directory: each file below it is measured by itself, as `NAME/PATH`, so that a change names the file. */
  readonly perFile?: boolean
  /** Of a directory: only what lies directly in it under a name like one of these, where `*` is any text. */
  readonly only?: readonly string[]
  /** Not every host has it. Where nothing is there, the log says that: its event has no digest. */
  readonly optional?: boolean
}

/** What is measured into which PCR, and which PCRs are quoted. */
export interface VmmProfile {
  readonly name: string
  readonly selection: PcrSelection
  /** The PCR that the components are extended into: 8 to 15, SHA-256 bank. */
  readonly pcr: number
  readonly components: readonly VmmComponent[]
  /** Of what some optional component must be there: in words, and how names of such events begin. */
  readonly required?: readonly { readonly what: string; readonly prefixes: readonly string[] }[]
  /** What the profile leaves uncovered, in words for status and report. */
  readonly note?: string
}

/** Whether each file of a component is an event of its own. */
export function isPerFile({ perFile, only }: VmmComponent): boolean {
  return perFile ?? only !== undefined
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
