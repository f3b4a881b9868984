import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { agentComponents } from './agent-components.ts'
import { checkProfile, type VmmProfile } from './profile.ts'

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
      ...agentComponents(options.pkcs11Module, ['src', 'native', 'bin', 'package-lock.json']),
      { name: 'vmm', path: options.vmmDirectory, perFile: true },
    ],
    note: CI_NOTE,
  }
  checkProfile(profile)
  return profile
}
