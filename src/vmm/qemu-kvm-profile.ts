import { release } from 'node:os'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { agentComponents } from './agent-components.ts'
import { checkProfile, type VmmComponent, type VmmProfile } from './profile.ts'

/** Quoted beside the measured PCR: firmware, option ROMs, boot applications, Secure Boot's state (PC Client Platform Firmware Profile, 3.3.4). */
export const FIRMWARE_PCRS: readonly number[] = [0, 2, 4, 7]

/**
 * Where a distribution puts what: Debian and Ubuntu, Fedora and its relatives. No host has all of it; what is not there is
 * in the log as absent. Each file is an event of its own, under its path.
 */
const SYSTEM: readonly { readonly path: string; readonly only?: readonly string[] }[] = [
  // QEMU: the emulators, then their modules and helpers. Fedora's kin call the emulator /usr/libexec/qemu-kvm.
  { path: '/usr/bin', only: ['qemu-system-*', 'qemu-kvm'] },
  { path: '/usr/libexec', only: ['qemu-*', 'virtiofsd', 'libvirt_*', 'virt-*'] },
  { path: '/usr/lib/qemu' },
  { path: '/usr/lib/x86_64-linux-gnu/qemu' },
  { path: '/usr/lib64/qemu' },
  { path: '/usr/lib64/qemu-kvm' },
  // What guests boot: firmware images and option ROMs.
  { path: '/usr/share/qemu' },
  { path: '/usr/share/qemu-kvm' },
  { path: '/usr/share/OVMF' },
  { path: '/usr/share/ovmf' },
  { path: '/usr/share/edk2' },
  { path: '/usr/share/seabios' },
  { path: '/usr/share/seavgabios' },
  { path: '/usr/share/ipxe' },
  { path: '/usr/share/ipxe.efi' },
  { path: '/usr/lib/ipxe/qemu' },
  // libvirt: the daemons, what they load and call, and the hooks that they run as root.
  { path: '/usr/sbin', only: ['libvirtd', 'virt*d'] },
  { path: '/usr/lib/libvirt' },
  { path: '/usr/lib/x86_64-linux-gnu', only: ['libvirt*.so*'] },
  { path: '/usr/lib/x86_64-linux-gnu/libvirt' },
  { path: '/usr/lib64', only: ['libvirt*.so*'] },
  { path: '/usr/lib64/libvirt' },
  { path: '/etc/libvirt/hooks' },
]

/** Of the running kernel: `updates`, `extra` and `weak-updates` come before the kernel's own modules (depmod.d(5)). */
const MODULES: readonly string[] = [
  'updates',
  'extra',
  'weak-updates',
  'kernel/arch/x86/kvm',
  'kernel/virt',
  'kernel/drivers/vhost',
  'kernel/drivers/vfio',
]

const NOTE =
  'profile qemu-kvm: KVM that is built into the kernel is covered by the kernel’s own measurement (PCR 4); shared ' +
  'libraries of the distribution beside those of libvirt and tpm2-tss, and the configuration of guests, are not covered'

/**
 * The profile of a host with QEMU, KVM and libvirt, in this fixed order: Attestry as it is installed, with its npm packages;
 * Node, the PKCS#11 module and tpm2-tss; QEMU, firmware images, libvirt; the modules of the running kernel.
 *
 * @param options.kernelRelease as `uname -r` has it; the running kernel's unless it is said
 * @throws VmmError `PROFILE_INVALID`, `PCR_RESETTABLE`, and `COMPONENT_MISSING` without any tpm2-tss library
 */
export function qemuKvmProfile(options: {
  readonly pkcs11Module: string
  readonly selection: PcrSelection
  readonly pcr: number
  readonly kernelRelease?: string
}): VmmProfile {
  const { pkcs11Module, selection, pcr, kernelRelease = release() } = options
  const modules = `/lib/modules/${kernelRelease}`
  const profile: VmmProfile = {
    name: 'qemu-kvm',
    selection,
    pcr,
    components: [
      ...agentComponents(pkcs11Module, ['src', 'native', 'bin', 'package-lock.json', 'package.json', 'node_modules']),
      ...SYSTEM.map((part): VmmComponent => ({ name: part.path, perFile: true, optional: true, ...part })),
      ...MODULES.map((part): VmmComponent => ({
        name: `modules/${part}`,
        path: `${modules}/${part}`,
        perFile: true,
        optional: true,
      })),
    ],
    required: [
      { what: 'a QEMU binary', prefixes: ['/usr/bin/qemu-system-', '/usr/bin/qemu-kvm', '/usr/libexec/qemu-kvm'] },
    ],
    note: NOTE,
  }
  checkProfile(profile)
  return profile
}
