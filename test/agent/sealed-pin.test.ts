import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startAgent } from '../../hil/stack/agent-process.ts'
import { stopProcess } from '../../hil/stack/process.ts'
import { powerCycle } from '../../hil/tpm-fault/power.ts'
import type { PinErrorCode } from '../../src/tpm/pin-error.ts'
import { attestry, faultOf } from '../cli/command.ts'
import { TestHost } from './fixture.ts'

const QEMU = 'vmm/qemu-system-x86_64'
const pemOf = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()

// Each part begins where the one before it has ended.
describe('an agent whose PIN is sealed', function () {
  this.timeout(120_000)
  let host: TestHost
  const at = (name: string) => join(host.layout.dir, name)
  const place = () => ['--dir', host.layout.dir, '--config', at('sealed.toml')]
  const run = async (...args: readonly string[]) => {
    const ended = await attestry(...args, '--json')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return ended
  }
  const approve = async (name: string, ...what: readonly string[]) =>
    (
      await run(
        'pin',
        'approve',
        '--key',
        at('team.pem'),
        '--select',
        '13',
        '--without-firmware',
        ...what,
        '--out',
        at(`approvals/${name}.json`),
      )
    ).json()
  const predict = async (file: string, ...args: readonly string[]) => {
    const ended = await run('vmm', 'predict', ...place(), ...args)
    writeFileSync(at(file), ended.stdout)
    return ended.json() as { vmmHash: string; changes: readonly { name: string }[] }
  }
  /** The agent as a process of its own, while something is done with it. */
  const whileServing = async (work: () => Promise<void>) => {
    const agent = await startAgent({ ...host.layout, configuration: at('sealed.toml') })
    try {
      await work()
    } finally {
      await stopProcess(agent)
    }
  }
  const doesNotStart = async (code: PinErrorCode) =>
    assert.deepEqual(faultOf(await attestry('agent', '--config', at('sealed.toml'), '--json')), { exit: 1, code })
  const tested = async () => {
    const ended = await attestry('pin', 'test', '--config', at('sealed.toml'), '--json')
    return ended.code === 0 ? ended.json()['approval'] : faultOf(ended)
  }
  /** One operation, and the VMM that its record names. */
  const operates = async () => {
    const input = new TextEncoder().encode('a letter')
    const request = await host.sign('alice', { operation: 'encrypt', dataId: await host.data('alice'), input })
    const { result, receipt } = await host.send(request, input)
    assert.ok(result.length > input.length)
    return receipt.record.vmmHash
  }
  const boot = () => powerCycle(join(host.layout.swtpm, 'swtpm.sock'), true)

  before(async () => {
    host = await TestHost.up()
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    writeFileSync(at('team.pub'), pemOf(publicKey))
    writeFileSync(at('team.pem'), pemOf(privateKey), { mode: 0o600 })
    mkdirSync(at('approvals'))
    const text = readFileSync(host.layout.configuration, 'utf8')
    const sealed = `pin_sealed = "${at('sealed.json')}"\npin_approvals = "${at('approvals')}"`
    writeFileSync(at('sealed.toml'), text.replace(/^pin_file = .*$/m, sealed))
    const pin = join(host.layout.softhsm, 'pin')
    const into = ['--pin-file', pin, '--out', at('sealed.json')]
    await run('pin', 'seal', ...place(), '--approver', at('team.pub'), ...into)
    // From here on the sealed one is all that there is.
    rmSync(pin)
  })
  after(() => host.down())

  it('does not start before anybody has approved the VMM, and serves under the approved one', async () => {
    await doesNotStart('PIN_NOT_APPROVED')
    assert.equal((await predict('now.predicted')).vmmHash, host.vmmHash)
    await approve('now', '--predicted', at('now.predicted'))
    await whileServing(async () => assert.equal(await operates(), host.vmmHash))
  })

  it('does not start once a measured file has changed, neither at once nor after a boot', async () => {
    writeFileSync(at('next'), 'another QEMU\n')
    const update = ['--component', `${QEMU}=${at('next')}`, '--out', at('next.cel'), '--submit', '--as', 'approver1']
    const next = await predict('next.predicted', ...update)
    assert.deepEqual(
      next.changes.map(({ name }) => name),
      [QEMU],
    )
    for (const approver of ['approver1', 'approver2']) {
      await run('vmm', 'approve', next.vmmHash, '--as', approver, '--dir', host.layout.dir)
    }
    renameSync(at('next'), at(QEMU))
    // Nobody has measured since: the PCR would still open it, if the agent did not look at the files first.
    assert.equal(await tested(), at('approvals/now.json'))
    await doesNotStart('PIN_NOT_APPROVED')
    assert.deepEqual(await tested(), { exit: 1, code: 'PIN_NOT_APPROVED' })
    await boot()
    await doesNotStart('PIN_NOT_APPROVED')
  })

  it('starts again under the prediction’s approval, and operates as the VMM that was predicted', async () => {
    const { vmmHash } = JSON.parse(readFileSync(at('next.predicted'), 'utf8')) as { vmmHash: string }
    await approve('next', '--predicted', at('next.predicted'))
    assert.equal(await tested(), at('approvals/next.json'))
    await whileServing(async () => assert.equal(await operates(), vmmHash))
    assert.deepEqual(readFileSync(at('vmm.cel')), readFileSync(at('next.cel')))
  })

  it('takes an approval by the log that was predicted for the same, and one by the old log not', async () => {
    const byPrediction = readFileSync(at('approvals/next.json'), 'utf8')
    rmSync(at('approvals/next.json'))
    const log = (name: string) => ['--vmm-log', at(name), '--pcr', '13', '--select', '13']
    await approve('old-log', ...log('vmm.cel.1'))
    assert.deepEqual(await tested(), { exit: 1, code: 'PIN_NOT_APPROVED' })
    await approve('log', ...log('next.cel'))
    assert.equal(await tested(), at('approvals/log.json'))
    const pcrs = (text: string) => (JSON.parse(text) as { pcrs: unknown }).pcrs
    assert.deepEqual(pcrs(readFileSync(at('approvals/log.json'), 'utf8')), pcrs(byPrediction))
    await whileServing(async () => assert.notEqual(await operates(), host.vmmHash))
  })
})
