import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { StackLayout } from './layout.ts'

const FILES: Readonly<Record<string, string>> = {
  'qemu-system-x86_64': 'stands in for QEMU on a local stack\n',
  'OVMF_CODE.fd': 'stands in for the guests’ firmware on a local stack\n',
  'kvm.ko': 'stands in for the KVM kernel module on a local stack\n',
  'libvirt.so.0': 'stands in for libvirt on a local stack\n',
}

/** Makes the files that stand in for the VMM's; those that are there are kept as they are. */
export async function makeVmmFiles({ vmm }: StackLayout): Promise<void> {
  for (const [name, text] of Object.entries(FILES)) {
    const path = join(vmm, name)
    if (!existsSync(path)) await writeFile(path, text)
  }
}
