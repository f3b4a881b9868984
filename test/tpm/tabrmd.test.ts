import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning, startProcess, stopProcess, untilReady, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { DeviceError } from '../../src/device/error.ts'
import { TpmError } from '../../src/tpm/error.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { held } from './tss.ts'

const SELECTION = { bank: 'sha256', pcrs: [0, 7] } as const
const BUS = 'DBUS_SESSION_BUS_ADDRESS'

/** tpm2-abrmd over swtpm, on a message bus of its own: a machine need not have one. */
describe('Tpm behind tpm2-abrmd', () => {
  let dir: string
  let direct: string
  let manager: StackProcess | undefined
  const processes: StackProcess[] = []
  const tpms: Tpm[] = []
  const previous = process.env[BUS]

  before(async function () {
    this.timeout(120_000)
    dir = await mkdtemp(join(tmpdir(), 'attestry-bus-'))
    await manufactureSwtpm(dir)
    const swtpm = await startSwtpm(dir)
    direct = swtpm.tcti
    processes.unshift(swtpm.process)
    const config = join(dir, 'bus.conf')
    const listen = `<listen>unix:path=${join(dir, 'bus')}</listen>`
    // As a session's bus has it: everybody of this user may do everything.
    const rules = '<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>'
    const policy = `<policy context="default">${rules}</policy>`
    await writeFile(config, `<busconfig><type>session</type>${listen}${policy}</busconfig>`)
    const bus = await startProcess('bus', dir, 'dbus-daemon', [`--config-file=${config}`, '--nofork', '--nopidfile'])
    processes.unshift(bus)
    await untilReady(bus, () => existsSync(join(dir, 'bus')))
    process.env[BUS] = `unix:path=${join(dir, 'bus')}`
    await startManager()
  })
  after(async () => {
    await Promise.all(tpms.map((tpm) => tpm.close()))
    if (manager !== undefined) await stopProcess(manager)
    for (const each of processes) await stopProcess(each)
    if (previous === undefined) Reflect.deleteProperty(process.env, BUS)
    else process.env[BUS] = previous
    await rm(dir, { recursive: true, force: true })
  })

  const startManager = async (): Promise<void> => {
    const args = ['--session', `--tcti=${direct}`, ...(process.getuid?.() === 0 ? ['--allow-root'] : [])]
    manager = await startProcess('abrmd', dir, 'tpm2-abrmd', args, { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` })
    await untilReady(manager, async () => {
      const tpm = open()
      try {
        await tpm.readClock()
        return true
      } catch (error) {
        if (error instanceof TpmError && error.code === 'TCTI_UNREACHABLE') return false
        throw error
      } finally {
        await tpm.close()
      }
    })
  }
  const open = (): Tpm => {
    const tpm = new Tpm({ tcti: 'tabrmd:bus_type=session', deadlineMs: 30_000 })
    tpms.push(tpm)
    return tpm
  }

  it('quotes and activates credentials, in two processes at the same time', async () => {
    const [one, other] = [open(), open()]
    const [ek, ak] = [await one.endorsementKey(), await other.attestationKey()]
    await Promise.all(
      [one, other].map(async (tpm) => {
        for (let i = 0; i < 5; i++) {
          const secret = new Uint8Array(randomBytes(32))
          assert.deepEqual(await tpm.activateCredential(makeCredential(ek.public, ak.name, secret)), secret)
          assert.equal((await tpm.quoteWithPcrs(SELECTION, secret)).values.size, 2)
          assert.ok((await tpm.readPcrBanks()).get('sha256')?.size === 24)
        }
      }),
    )
    assert.deepEqual(
      { ...held(direct), persistent: [], nv: [] },
      { transient: [], sessions: [], persistent: [], nv: [] },
    )
  })

  it('says that the resource manager is gone, and goes on when it is back', async () => {
    const tpm = open()
    await tpm.quote(SELECTION, new Uint8Array())
    assert.ok(manager !== undefined && isRunning(manager))
    await stopProcess(manager)
    await assert.rejects(tpm.quote(SELECTION, new Uint8Array()), (error) => {
      assert.ok(error instanceof TpmError || error instanceof DeviceError)
      return ['TCTI_UNREACHABLE', 'DIED'].includes(error.code)
    })
    await startManager()
    await tpm.quote(SELECTION, new Uint8Array())
  })
})
