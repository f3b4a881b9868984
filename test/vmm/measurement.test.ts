import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { appendFile, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { vmmHash } from '../../src/evidence/vmm-hash.ts'
import { decodeCanonicalLog, encodeEvent, replayCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { measure, readMeasurement, type MeasuringTpm } from '../../src/vmm/measurement.ts'
import { watchVmm } from '../../src/vmm/watch.ts'
import { Rig } from './rig.ts'

const selection = { bank: 'sha256', pcrs: [13] } as const

describe('measure', () => {
  let rig: Rig

  before(async () => {
    rig = await Rig.make()
  })
  after(() => rig.remove())
  beforeEach(() => rig.boot())

  const hash = async (of: Rig) => vmmHash(selection, await of.tpm.readPcrs(selection))
  const names = async () => decodeCanonicalLog(await readFile(rig.log)).map(({ event }) => [event.kind, event.name])

  it('extends the components in their order, and logs what it extends', async () => {
    const { extended, pcrValue } = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(extended, 5)
    assert.deepEqual(await names(), [
      ['profile', 'test'],
      ['component', 'code'],
      ['component', 'binary'],
      ['component', 'vmm/firmware/OVMF_CODE.fd'],
      ['component', 'vmm/qemu'],
    ])
    assert.deepEqual((await rig.tpm.readPcrs(selection)).get(13), pcrValue)
    assert.deepEqual(replayCanonicalLog(decodeCanonicalLog(await readFile(rig.log)), 13), pcrValue)
  })

  it('does nothing where nothing changed', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    const [log, value] = [await readFile(rig.log), await hash(rig)]
    const { extended } = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(extended, 0)
    assert.deepEqual(await readFile(rig.log), log)
    assert.equal(await hash(rig), value)
  })

  it('gives the same files the same measurement on another TPM, after another boot', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    const other = await Rig.make()
    try {
      await other.boot()
      await measure(other.tpm, other.profile, other.log)
      assert.equal(await hash(other), await hash(rig))
    } finally {
      await other.remove()
    }
    const first = await hash(rig)
    await rig.reset()
    const { extended } = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(extended, 5)
    assert.equal(await hash(rig), first)
    assert.ok(existsSync(`${rig.log}.1`), 'the log of the earlier boot is kept')
  })

  it('extends what changed, what is new and what is gone since it was logged', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    await rig.write('code/lib/part.ts', 'changed')
    await rig.write('vmm/new', 'new')
    await rm(rig.path('vmm/qemu'))
    const { events, extended } = await measure(rig.tpm, rig.profile, rig.log)
    const changed = events.slice(events.length - extended)
    assert.deepEqual(
      changed.map(({ kind, name, sha256 }) => [kind, name, sha256 !== undefined]),
      [
        ['changed', 'code', true],
        ['changed', 'vmm/new', true],
        ['changed', 'vmm/qemu', false],
      ],
    )
  })

  it('finishes the extend that a crash left undone', async () => {
    const { log } = await measure(rig.tpm, rig.profile, rig.log)
    const event = { kind: 'changed', name: 'vmm/qemu', sha256: new Uint8Array(32) } as const
    await appendFile(rig.log, encodeEvent(BigInt(log.records.length), 13, event))
    const { extended, events } = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(extended, 2, 'the one left undone, and that the file is not like that')
    assert.deepEqual(
      events.slice(-2).map(({ name }) => name),
      ['vmm/qemu', 'vmm/qemu'],
    )
    await readMeasurement(rig.tpm, rig.profile, rig.log)
  })

  it('finishes a first measurement that a crash interrupted', async () => {
    const { pcrValue, log } = await measure(rig.tpm, rig.profile, rig.log)
    await rig.reset()
    for (const { digest } of log.records.slice(0, 2)) await rig.tpm.extendPcr(13, digest)
    const again = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(again.extended, 3)
    assert.deepEqual(again.pcrValue, pcrValue)
  })

  it('logs before it extends', async () => {
    const failing: MeasuringTpm = {
      readPcrs: (which) => rig.tpm.readPcrs(which),
      extendPcr: () => Promise.reject(new Error('no power')),
    }
    await assert.rejects(measure(failing, rig.profile, rig.log), /no power/)
    assert.equal(decodeCanonicalLog(await readFile(rig.log)).length, 5)
    const { extended } = await measure(rig.tpm, rig.profile, rig.log)
    assert.equal(extended, 5)
  })

  it('extends a change that it cannot log, once, so that the PCR vouches no longer', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    const good = await hash(rig)
    // As on a full disk: nothing can be written beside the log.
    await mkdir(`${rig.log}.next`)
    await rig.write('bin/binary', 'another')
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_INVALID' })
    const spoilt = await hash(rig)
    assert.notEqual(spoilt, good)
    await assert.rejects(readMeasurement(rig.tpm, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
    await rm(`${rig.log}.next`, { recursive: true })
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
    assert.equal(await hash(rig), spoilt)
  })

  it('extends nothing of a first measurement that it cannot log', async () => {
    await mkdir(`${rig.log}.next`)
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_INVALID' })
    await rm(`${rig.log}.next`, { recursive: true })
    assert.equal((await measure(rig.tpm, rig.profile, rig.log)).extended, 5)
  })

  for (const [what, times] of [
    ['loses an extend', 0],
    ['extends twice, or somebody else does meanwhile', 2],
  ] as const) {
    it(`refuses a TPM that ${what}`, async () => {
      const wrong: MeasuringTpm = {
        readPcrs: (selected) => rig.tpm.readPcrs(selected),
        extendPcr: async (pcr, digest) => {
          for (let i = 0; i < times; i++) await rig.tpm.extendPcr(pcr, digest)
        },
      }
      await assert.rejects(measure(wrong, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
    })
  }

  it('refuses a log that does not replay to the PCR', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    await rig.tpm.extendPcr(13, new Uint8Array(32))
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
    await assert.rejects(readMeasurement(rig.tpm, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
  })

  it('refuses firmware that has not measured itself, before anything is extended, and where it is proposed', async () => {
    const quoted = (...pcrs: readonly number[]) => ({ ...rig.profile, selection: { ...selection, pcrs } })
    const refused = { name: 'VmmError', code: 'PCR_ZERO', message: /PCR 7, found zero/ }
    await rig.tpm.extendPcr(0, new Uint8Array(32).fill(1))
    const before = await hash(rig)
    await assert.rejects(measure(rig.tpm, quoted(0, 7, 13), rig.log), refused)
    await assert.rejects(
      watchVmm(rig.tpm, quoted(0, 7, 13), rig.log, () => undefined),
      refused,
    )
    assert.deepEqual([await hash(rig), existsSync(rig.log)], [before, false])
    const { extended } = await measure(rig.tpm, quoted(0, 13), rig.log)
    assert.equal(extended, 5)
    await assert.rejects(readMeasurement(rig.tpm, quoted(0, 7, 13), rig.log), refused)
    await rig.tpm.extendPcr(7, new Uint8Array(32).fill(1))
    assert.equal((await measure(rig.tpm, quoted(0, 7, 13), rig.log)).extended, 0)
    assert.equal((await readMeasurement(rig.tpm, quoted(0, 7, 13), rig.log)).values.size, 3)
  })

  it('refuses a log that is gone, tampered with, or of another profile', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    const good = await readFile(rig.log)
    await assert.rejects(measure(rig.tpm, { ...rig.profile, name: 'other' }, rig.log), { code: 'LOG_MISMATCH' })
    await writeFile(
      rig.log,
      good.map((byte, i) => (i === good.length - 1 ? byte ^ 1 : byte)),
    )
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_INVALID' })
    await writeFile(rig.log, good.subarray(0, -1))
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_INVALID' })
    await rm(rig.log)
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'LOG_MISMATCH' })
    await writeFile(rig.log, good)
    await measure(rig.tpm, rig.profile, rig.log)
  })

  it('takes two processes that measure at once one after the other', async () => {
    await measure(rig.tpm, rig.profile, rig.log)
    await copyFile(rig.path('bin/binary'), rig.path('vmm/copy'))
    const results = await Promise.all([1, 2, 3].map(() => measure(rig.tpm, rig.profile, rig.log)))
    assert.deepEqual(results.map(({ extended }) => extended).toSorted(), [0, 0, 1])
    await readMeasurement(rig.tpm, rig.profile, rig.log)
  })

  it('logs that an optional component is not there, and when it comes', async () => {
    const profile = {
      ...rig.profile,
      components: [
        ...rig.profile.components,
        { name: 'libvirt', path: rig.path('libvirt'), perFile: true, optional: true },
      ],
    }
    const { events } = await measure(rig.tpm, profile, rig.log)
    assert.deepEqual(events.at(-1), { kind: 'component', name: 'libvirt' })
    assert.equal((await measure(rig.tpm, profile, rig.log)).extended, 0)
    await rig.write('libvirt/libvirtd', 'daemon')
    assert.equal((await measure(rig.tpm, profile, rig.log)).extended, 1)
    assert.deepEqual((await names()).at(-1), ['changed', 'libvirt/libvirtd'])
    await rm(rig.path('libvirt'), { recursive: true })
    assert.equal((await measure(rig.tpm, profile, rig.log)).extended, 1)
    assert.equal((await measure(rig.tpm, profile, rig.log)).extended, 0)
  })

  it('refuses to begin where all of those components are absent of which one must be there', async () => {
    const [code, binary, vmm] = rig.profile.components
    assert.ok(code !== undefined && binary !== undefined && vmm !== undefined)
    const required = [{ what: 'a QEMU binary', prefixes: ['vmm/qemu'] }]
    const profile = { ...rig.profile, components: [code, binary, { ...vmm, optional: true }], required }
    await rm(rig.path('vmm/qemu'))
    await assert.rejects(measure(rig.tpm, profile, rig.log), {
      code: 'COMPONENT_MISSING',
      message: /a QEMU binary.*vmm\/qemu/,
    })
    assert.deepEqual((await rig.tpm.readPcrs(selection)).get(13), new Uint8Array(32))
    await rig.write('vmm/qemu-system-x86_64', 'qemu')
    await measure(rig.tpm, profile, rig.log)
  })

  it('refuses to begin without a component', async () => {
    await rm(rig.path('bin/binary'))
    await assert.rejects(measure(rig.tpm, rig.profile, rig.log), { code: 'COMPONENT_MISSING' })
    assert.ok((await rig.tpm.readPcrs(selection)).get(13)?.every((byte) => byte === 0))
  })
})
