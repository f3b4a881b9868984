import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cp, mkdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Hex } from '../../src/core/bytes.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import { EnrolRig } from '../agent/enrol-rig.ts'
import { attestry } from './command.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const NATIVE = ['koffi', 'pkcs11js', 'secp256k1']
const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly dependencies: Readonly<Record<string, string>>
}

describe('attestry host challenge and register where no native module is installed', function () {
  this.timeout(180_000)
  let rig: EnrolRig
  let ledger: Ledger
  let config: string
  let trust: string
  let place: string

  before(async () => {
    rig = await EnrolRig.make()
    const tpm = await rig.startTpm('one')
    ;({ ledger } = await rig.startLedger())
    await rig.startHsms(ledger)
    config = await rig.writeConfiguration('agent', tpm, 1)
    trust = await rig.writeTrustStore('trust', tpm)
    place = join(rig.dir, 'registrar')
    // Without native/, and without the packages that hold native code.
    for (const name of ['bin', 'src', 'package.json']) {
      await cp(join(ROOT, name), join(place, name), { recursive: true })
    }
    for (const name of Object.keys(dependencies).filter((one) => !NATIVE.includes(one))) {
      const link = join(place, 'node_modules', name)
      await mkdir(dirname(link), { recursive: true })
      await symlink(join(ROOT, 'node_modules', name), link)
    }
  })
  after(() => rig.stop())

  const file = (name: string) => join(rig.dir, name)
  const node = (...args: readonly string[]) => promisify(execFile)(process.execPath, args, { cwd: place })
  const atRegistrar = async (step: string, ...args: readonly string[]): Promise<Record<string, unknown>> => {
    const of = ['--rpc', rig.rpc, '--deployment', rig.deployment, '--trust', trust, '--state', file('state'), '--json']
    const { stdout } = await node(join(place, 'bin/attestry.js'), 'host', step, ...args, ...of)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const atHost = async (...args: readonly string[]): Promise<void> => {
    const ended = await attestry('host', ...args, '--config', config, '--json')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
  }

  it('is a place where neither a TPM nor an HSM can be spoken to', async () => {
    for (const name of NATIVE) {
      const importing = `import(${JSON.stringify(name)}).catch(({ code }) => console.log(code))`
      assert.equal((await node('-e', importing)).stdout.trim(), 'ERR_MODULE_NOT_FOUND')
    }
  })

  it('enrols a host', async () => {
    await atHost('request', '--out', file('request.json'))
    const challenged = await atRegistrar('challenge', file('request.json'), '--out', file('challenge.json'))
    assert.equal(challenged['enrolled'], false)
    await atHost('answer', file('challenge.json'), '--out', file('answer.json'))
    const entered = await atRegistrar('register', file('answer.json'), '--key', file('registrar.key'))
    assert.equal(entered['registered'], true)
    assert.equal((await ledger.host(challenged['hostId'] as Hex)).status, 'Active')
  })
})
