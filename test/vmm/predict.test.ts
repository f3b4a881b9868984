import assert from 'node:assert/strict'
import { cp, mkdir, rename, rm } from 'node:fs/promises'
import { LayeredView } from '../../src/vmm/layered-view.ts'
import { measure } from '../../src/vmm/measurement.ts'
import { predict } from '../../src/vmm/predict.ts'
import { Rig } from './rig.ts'

const selection = { bank: 'sha256', pcrs: [13] } as const

describe('predict', () => {
  let rig: Rig

  before(async () => {
    rig = await Rig.make()
  })
  after(() => rig.remove())
  beforeEach(async () => {
    await rig.boot()
    await rm(rig.path('next'), { recursive: true, force: true })
  })

  const replacing = (entries: Readonly<Record<string, string | undefined>>) =>
    predict(rig.profile, {
      replaced: new Map(Object.entries(entries).map(([name, path]) => [name, path && rig.path(path)])),
    })

  /** Measures after a reboot, and requires what was predicted. */
  async function requireMeasured({ pcrValue, log, events }: Awaited<ReturnType<typeof predict>>): Promise<void> {
    await rig.reset()
    const measured = await measure(rig.tpm, rig.profile, rig.log)
    assert.deepEqual(measured.events, events)
    assert.deepEqual(Buffer.from(measured.log.bytes), Buffer.from(log.bytes))
    assert.deepEqual((await rig.tpm.readPcrs(selection)).get(13), pcrValue)
  }

  it('says what the same files measure after the next boot, and extends nothing', async () => {
    const predicted = await predict(rig.profile)
    assert.deepEqual((await rig.tpm.readPcrs(selection)).get(13), new Uint8Array(32))
    await requireMeasured(predicted)
  })

  it('says what a replaced file, a new one and a removed one measure, each in its place', async () => {
    await rig.write('next/qemu', 'new qemu')
    await rig.write('next/binary', 'new binary')
    await rig.write('next/new', 'added')
    const predicted = await replacing({
      ...{ 'vmm/qemu': 'next/qemu', binary: 'next/binary', 'vmm/a/new': 'next/new' },
      'vmm/firmware/OVMF_CODE.fd': undefined,
    })
    await rename(rig.path('next/qemu'), rig.path('vmm/qemu'))
    await rename(rig.path('next/binary'), rig.path('bin/binary'))
    await mkdir(rig.path('vmm/a'))
    await rename(rig.path('next/new'), rig.path('vmm/a/new'))
    await rm(rig.path('vmm/firmware/OVMF_CODE.fd'))
    await requireMeasured(predicted)
  })

  it('says what a replaced directory measures, as a listing and file by file', async () => {
    await rig.write('next/code/main.ts', 'new main')
    await rig.write('next/vmm/qemu', 'new qemu')
    const predicted = await replacing({ code: 'next/code', vmm: 'next/vmm' })
    for (const part of ['code', 'vmm']) {
      await rm(rig.path(part), { recursive: true })
      await rename(rig.path(`next/${part}`), rig.path(part))
    }
    await requireMeasured(predicted)
  })

  it('says what a tree measures that is laid over the system', async () => {
    await rig.write(`next${rig.path('vmm/qemu')}`, 'new qemu')
    await rig.write(`next${rig.path('code/lib/more.ts')}`, 'more')
    const predicted = await predict(rig.profile, { view: new LayeredView([rig.path('next'), '/']) })
    await cp(rig.path(`next${rig.dir}`), rig.dir, { recursive: true })
    await requireMeasured(predicted)
  })

  it('differs from what a host gives that sees the change while it runs', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    await rig.write('next/qemu', 'new qemu')
    const { pcrValue } = await replacing({ 'vmm/qemu': 'next/qemu' })
    await rig.write('vmm/qemu', 'new qemu')
    await measure(rig.tpm, rig.profile, rig.log)
    assert.notDeepEqual((await rig.tpm.readPcrs(selection)).get(13), pcrValue)
  })

  it('refuses names that the profile does not measure', async () => {
    await rig.write('next/qemu', 'new qemu')
    for (const name of ['qemu', 'code/main.ts', 'vmm/', 'vmm/../qemu', 'vmm//qemu', 'vm']) {
      await assert.rejects(replacing({ [name]: 'next/qemu' }), { code: 'COMPONENT_UNKNOWN' }, name)
    }
    const [code] = rig.profile.components
    assert.ok(code !== undefined)
    const profile = {
      ...rig.profile,
      components: [code, { name: 'bin', path: rig.path('bin'), only: ['qemu-*'], optional: true }],
    }
    const replaced = new Map([['bin/bash', rig.path('next/qemu')]])
    await assert.rejects(predict(profile, { replaced }), { code: 'COMPONENT_UNKNOWN' })
  })

  it('refuses files that are not there or are none, and that nothing is left of what must be there', async () => {
    await mkdir(rig.path('next'))
    await assert.rejects(replacing({ 'vmm/qemu': 'next/absent' }), { code: 'COMPONENT_MISSING' })
    await assert.rejects(replacing({ binary: 'next/absent' }), { code: 'COMPONENT_MISSING' })
    await assert.rejects(replacing({ 'vmm/qemu': 'next' }), { code: 'COMPONENT_INVALID' })
    await assert.rejects(replacing({ binary: undefined }), { code: 'COMPONENT_MISSING' })
  })
})
