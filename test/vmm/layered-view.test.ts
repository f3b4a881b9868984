import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { LayeredView } from '../../src/vmm/layered-view.ts'
import type { VmmComponent } from '../../src/vmm/profile.ts'
import { scan } from '../../src/vmm/scan.ts'

describe('LayeredView', () => {
  let dir: string

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-view-'))
    await write('base/usr/share/qemu/bios.bin', 'old bios')
    await write('base/usr/share/qemu/vga.bin', 'old vga')
    await write('base/usr/share/seabios/bios-1.bin', 'seabios')
    await link('base/usr/share/qemu/link.bin', '../seabios/bios-1.bin')
    await link('base/lib', 'usr/lib')
    await write('base/usr/lib/modules/kvm.ko', 'old kvm')
    await mkdir(join(dir, 'update'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  async function write(name: string, text: string): Promise<void> {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), text)
  }

  async function link(name: string, target: string): Promise<void> {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await symlink(target, join(dir, name))
  }

  const digestsOf = async (component: VmmComponent, ...roots: string[]) => {
    const scanned = await scan(component, undefined, new LayeredView(roots.map((root) => join(dir, root))))
    if (scanned.problem !== undefined) throw scanned.problem
    return scanned.digests
  }
  const qemu = { name: 'qemu', path: '/usr/share/qemu', perFile: true }

  /** What a plain scan finds once the update was really copied over the base. */
  async function really(component: VmmComponent): Promise<ReadonlyMap<string, Uint8Array>> {
    await cp(join(dir, 'base'), join(dir, 'real'), { recursive: true, verbatimSymlinks: true })
    await cp(join(dir, 'update'), join(dir, 'real'), { recursive: true, verbatimSymlinks: true })
    return (await scan({ ...component, path: join(dir, 'real', component.path) })).digests
  }

  it('sees what a copy of the one tree over the other gives, file by file and as a listing', async () => {
    await write('update/usr/share/qemu/bios.bin', 'new bios')
    await write('update/usr/share/qemu/deep/new.bin', 'new')
    await link('update/usr/share/qemu/vga.bin', 'bios.bin')
    await rm(join(dir, 'base/usr/share/qemu/vga.bin'))
    const listing = { name: 'qemu', path: '/usr/share/qemu' }
    const digests = await digestsOf(qemu, 'update', 'base')
    assert.deepEqual(digests, await really(qemu))
    assert.deepEqual(await digestsOf(listing, 'update', 'base'), await really(listing))
    assert.deepEqual(
      [...digests.keys()],
      ['bios.bin', 'deep/new.bin', 'link.bin', 'vga.bin'].map((name) => `qemu/${name}`),
    )
  })

  it('follows a link of the one tree into the other, and an absolute one inside the view', async () => {
    await write('update/usr/share/seabios/bios-1.bin', 'new seabios')
    await link('update/usr/share/qemu/absolute.bin', '/usr/share/seabios/bios-1.bin')
    const digests = await digestsOf(qemu, 'update', 'base')
    assert.deepEqual(digests.get('qemu/link.bin'), digests.get('qemu/absolute.bin'))
    await write('plain', 'new seabios')
    const plain = (await scan({ name: 'plain', path: join(dir, 'plain') })).digests.get('plain')
    assert.deepEqual(digests.get('qemu/link.bin'), plain)
  })

  it('puts a package’s /lib where the system’s link for it leads', async () => {
    await write('update/lib/modules/kvm.ko', 'new kvm')
    const kvm = { name: 'kvm', path: '/lib/modules', perFile: true }
    await write('base2/usr/lib/modules/kvm.ko', 'new kvm')
    await link('base2/lib', 'usr/lib')
    assert.deepEqual(await digestsOf(kvm, 'update', 'base'), await digestsOf(kvm, 'base2'))
    assert.deepEqual(
      await digestsOf({ ...kvm, path: '/usr/lib/modules' }, 'update', 'base'),
      await digestsOf(kvm, 'base2'),
    )
  })

  it('sees nothing outside one tree, by no link', async () => {
    await link('base/usr/share/qemu/out.bin', '/etc/passwd')
    await assert.rejects(digestsOf(qemu, 'base'), { code: 'COMPONENT_INVALID', message: /link to nothing/ })
    await rm(join(dir, 'base/usr/share/qemu/out.bin'))
    await link('base/usr/share/qemu/out.bin', '../../../../../../../../../../etc/passwd')
    await assert.rejects(digestsOf(qemu, 'base'), { code: 'COMPONENT_INVALID' })
    assert.deepEqual([...(await digestsOf({ name: 'passwd', path: '/etc/passwd' }, 'base'))], [])
  })

  it('ends where links lead in a circle', async () => {
    await link('base/usr/share/qemu/a', 'b')
    await link('base/usr/share/qemu/b', 'a')
    await assert.rejects(digestsOf(qemu, 'base'), { code: 'COMPONENT_INVALID' })
  })
})
