import assert from 'node:assert/strict'
import { once, EventEmitter } from 'node:events'
import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { replayCanonicalLog, type VmmEvent } from '../../src/tcg/canonical-event-log.ts'
import { measure, readMeasurement, type MeasuringTpm } from '../../src/vmm/measurement.ts'
import { watchVmm, type VmmWatch } from '../../src/vmm/watch.ts'
import { Rig } from './rig.ts'

describe('watchVmm', () => {
  let rig: Rig
  let watch: VmmWatch
  let events: VmmEvent[]
  let changes: EventEmitter

  before(async () => {
    rig = await Rig.make()
  })
  after(() => rig.remove())
  beforeEach(async () => {
    await rig.boot()
    await symlink(rig.path('elsewhere/qemu'), rig.path('vmm/link'))
    await rig.write('elsewhere/qemu', 'behind a link')
    events = []
    changes = new EventEmitter()
    watch = await watchVmm(rig.tpm, rig.profile, rig.log, (event) => {
      events.push(event)
      changes.emit('changed')
    })
  })
  afterEach(() => watch.close())

  /** Waits until a component is logged as `present` or not; the last event of its name counts. */
  async function untilChanged(name: string, present = true): Promise<void> {
    while ((events.findLast((event) => event.name === name)?.sha256 !== undefined) !== present || events.length === 0) {
      await once(changes, 'changed')
    }
  }

  async function explained(): Promise<void> {
    const { log, values } = await readMeasurement(rig.tpm, rig.profile, rig.log)
    assert.deepEqual(replayCanonicalLog(log.records, 13), values.get(13))
  }

  it('extends a file that is written to', async () => {
    await appendFile(rig.path('vmm/qemu'), 'x')
    await untilChanged('vmm/qemu')
    await explained()
  })

  it('extends a file that another is renamed over, again and again', async () => {
    for (const content of ['first', 'second']) {
      const before = events.length
      await rig.write('beside', content)
      await rename(rig.path('beside'), rig.path('bin/binary'))
      while (events.length === before) await once(changes, 'changed')
    }
    assert.deepEqual(
      events.map(({ name }) => name),
      ['binary', 'binary'],
    )
    await explained()
  })

  it('extends that a file is gone, and that it came back', async () => {
    await rm(rig.path('bin/binary'))
    await untilChanged('binary', false)
    await rig.write('bin/binary', 'binary')
    await untilChanged('binary')
    await explained()
  })

  it('extends new files, in new directories too', async () => {
    await writeFile(rig.path('vmm/new'), 'new')
    await untilChanged('vmm/new')
    await mkdir(rig.path('vmm/deep/er'), { recursive: true })
    await writeFile(rig.path('vmm/deep/er/new'), 'new')
    await untilChanged('vmm/deep/er/new')
    await appendFile(rig.path('vmm/deep/er/new'), 'er')
    const before = events.length
    while (events.length === before) await once(changes, 'changed')
    await explained()
  })

  it('extends a change below a directory of code', async () => {
    await rig.write('code/lib/part.ts', 'changed')
    await untilChanged('code')
  })

  it('notices what is behind a link, and a directory that is exchanged on the way', async () => {
    await rig.write('elsewhere/qemu', 'changed')
    await untilChanged('vmm/link')
    await rename(rig.path('bin'), rig.path('bin.old'))
    await untilChanged('binary', false)
    await rig.write('bin.new/binary', 'another')
    await rename(rig.path('bin.new'), rig.path('bin'))
    await untilChanged('binary')
    await explained()
  })

  it('does not extend where only the time of a file changed', async () => {
    await utimes(rig.path('vmm/qemu'), 1, 1)
    await watch.verifyComponents()
    assert.deepEqual(events, [])
  })

  it('says by verifyComponents what no event said', async () => {
    await rig.write('vmm/qemu', 'QEMU')
    await watch.verifyComponents()
    assert.deepEqual(
      events.map(({ kind, name }) => [kind, name]),
      [['changed', 'vmm/qemu']],
    )
    await watch.verifyComponents()
    assert.equal(events.length, 1)
  })

  it('keeps what it could not extend, refuses meanwhile, and catches up', async () => {
    await watch.close()
    let power = true
    const flaky: MeasuringTpm = {
      readPcrs: (selection) => rig.tpm.readPcrs(selection),
      extendPcr: (pcr, digest) => (power ? rig.tpm.extendPcr(pcr, digest) : Promise.reject(new Error('no power'))),
    }
    watch = await watchVmm(flaky, rig.profile, rig.log, (event) => events.push(event))
    power = false
    await rig.write('vmm/qemu', 'changed')
    await assert.rejects(watch.verifyComponents(), /no power/)
    assert.match(String(watch.failure), /no power/)
    await assert.rejects(watch.verifyComponents(), /no power/)
    power = true
    await watch.verifyComponents()
    assert.equal(watch.failure, undefined)
    await explained()
  })

  it('refuses a TPM that was reset behind it', async () => {
    await rig.reset()
    await rig.write('vmm/qemu', 'changed')
    await assert.rejects(watch.verifyComponents(), { code: 'LOG_MISMATCH' })
    await measure(rig.tpm, rig.profile, rig.log)
    await watch.verifyComponents()
    await explained()
  })

  it('agrees with a measurement by hand meanwhile', async () => {
    await rig.write('vmm/qemu', 'changed')
    await Promise.all([measure(rig.tpm, rig.profile, rig.log), watch.verifyComponents()])
    await explained()
  })
})
