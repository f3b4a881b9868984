import assert from 'node:assert/strict'
import { release } from 'node:os'
import { qemuKvmProfile } from '../../src/vmm/qemu-kvm-profile.ts'

const options = {
  pkcs11Module: '/usr/lib/softhsm/libsofthsm2.so',
  selection: { bank: 'sha256', pcrs: [0, 2, 4, 7, 13] },
  pcr: 13,
} as const

describe('qemuKvmProfile', () => {
  const find = (path: string, kernelRelease?: string) =>
    qemuKvmProfile({ ...options, ...(kernelRelease === undefined ? {} : { kernelRelease }) }).components.find(
      (component) => component.path === path,
    )

  it('measures Attestry with its packages first, and all of it must be there', () => {
    const { components } = qemuKvmProfile(options)
    const own = components.slice(
      0,
      components.findIndex(({ name }) => name.startsWith('/')),
    )
    assert.deepEqual(
      own.slice(0, 8).map(({ name }) => name),
      [
        ...['src', 'native', 'bin', 'package-lock.json', 'package.json', 'node_modules'].map(
          (part) => `attestry/${part}`,
        ),
        'node',
        'pkcs11-module',
      ],
    )
    assert.ok(own.slice(8).some(({ name }) => name === 'tpm2-tss/libtss2-esys.so.0'))
    assert.ok(own.every(({ optional }) => optional !== true))
  })

  it('measures the system where Debian and Fedora put it, each file by its path, and says what is absent', () => {
    for (const path of ['/usr/bin', '/usr/libexec', '/usr/share/OVMF', '/usr/share/edk2', '/usr/lib64/libvirt']) {
      const component = find(path)
      assert.deepEqual([component?.name, component?.perFile, component?.optional], [path, true, true])
    }
  })

  it('measures the modules of the running kernel, under names that all releases share', () => {
    assert.equal(find(`/lib/modules/${release()}/kernel/arch/x86/kvm`)?.name, 'modules/kernel/arch/x86/kvm')
    assert.equal(find('/lib/modules/6.1.0-1/kernel/arch/x86/kvm', '6.1.0-1')?.name, 'modules/kernel/arch/x86/kvm')
    // depmod prefers a module that is put there.
    assert.ok(find('/lib/modules/6.1.0-1/updates', '6.1.0-1'))
  })

  it('names what it leaves uncovered, and wants a QEMU', () => {
    const { note, required } = qemuKvmProfile(options)
    assert.match(note ?? '', /shared libraries.*not covered/)
    assert.ok(required?.some(({ prefixes }) => prefixes.includes('/usr/bin/qemu-system-')))
  })

  it('refuses a PCR that software can reset', () => {
    assert.throws(() => qemuKvmProfile({ ...options, pcr: 16 }), { code: 'PCR_RESETTABLE' })
  })
})
