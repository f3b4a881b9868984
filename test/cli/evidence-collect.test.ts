import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stopProcess } from '../../hil/stack/process.ts'
import { startSwtpm } from '../../hil/stack/swtpm.ts'
import { writePem } from '../../src/auditor/pem.ts'
import { toHex } from '../../src/core/bytes.ts'
import { parseCertificate } from '../../src/evidence/certificate.ts'
import { EnrolRig, type TpmRig } from '../agent/enrol-rig.ts'
import { attestry, attestryIn, faultOf, type Ended } from './command.ts'

const NONCE = `0x${'5a'.repeat(32)}`
/** Where a TPM keeps the certificates above its EK's (TCG EK Credential Profile 2.6, 2.2.1.5.2). */
const CHAIN_INDEX = '0x01c00100'

describe('attestry evidence collect', function () {
  this.timeout(120_000)
  let rig: EnrolRig
  let host: TpmRig
  let config: string
  let issuer: Uint8Array
  let root: Uint8Array

  before(async () => {
    rig = await EnrolRig.make()
    host = await rig.startTpm('one')
    const { ledger } = await rig.startLedger()
    await rig.startHsms(ledger)
    config = await rig.writeConfiguration('agent', host, 1)
    const isRoot = (der: Uint8Array) => {
      const { subjectName, issuerName } = parseCertificate(der)
      return subjectName === issuerName
    }
    issuer = host.trustAnchors.find((der) => !isRoot(der)) ?? assert.fail('no intermediate')
    root = host.trustAnchors.find(isRoot) ?? assert.fail('no root')
    mkdirSync(path('roots'))
    writeFileSync(path('roots/root.pem'), writePem({ kind: 'certificate', der: root }))
  })
  after(() => rig.stop())

  const path = (name: string) => join(rig.dir, name)
  const tool = (name: string, ...args: readonly string[]) =>
    promisify(execFile)(`tpm2_${name}`, args, { env: { ...process.env, TPM2TOOLS_TCTI: host.tcti } })
  /** Collects, makes a policy of it, and appraises it by the root alone. */
  const appraised = async (name: string): Promise<{ file: unknown; result: Ended }> => {
    const [out, policy] = [path(`${name}.json`), path(`${name}.toml`)]
    const collected = await attestry(
      'evidence',
      'collect',
      '--config',
      config,
      '--nonce',
      NONCE,
      '--out',
      out,
      '--json',
    )
    assert.equal(collected.code, 0, collected.stdout + collected.stderr)
    const made = await attestry('evidence', 'policy', out, '--out', policy, '--json')
    assert.equal(made.code, 0, made.stdout + made.stderr)
    const trust = ['--trust', path('roots'), '--nonce', NONCE]
    const result = await attestry('evidence', 'appraise', out, '--policy', policy, ...trust, '--json')
    return { file: JSON.parse(readFileSync(out, 'utf8')), result }
  }
  const intermediatesOf = (file: unknown) =>
    (file as { endorsement: { intermediates: readonly string[] } }).endorsement.intermediates
  const endorsementOf = (result: Ended) =>
    (result.json()['claims'] as { name: string; status: string }[]).find(({ name }) => name === 'endorsement')?.status

  it('passes on what the TPM holds of the EK certificate’s chain, and appraise finds the root by it', async () => {
    const without = await appraised('without')
    assert.deepEqual(intermediatesOf(without.file), [])
    assert.equal(endorsementOf(without.result), 'fail')
    writeFileSync(path('chain'), issuer)
    const size = ['-s', String(issuer.length), '-a', 'ownerwrite|ownerread|authread']
    await tool('nvdefine', CHAIN_INDEX, '-C', 'o', ...size)
    await tool('nvwrite', CHAIN_INDEX, '-C', 'o', '-i', path('chain'))
    const whole = await appraised('whole')
    assert.deepEqual(intermediatesOf(whole.file), [toHex(issuer)])
    assert.equal(endorsementOf(whole.result), 'pass')
  })

  it('needs no configuration where the TPM is named', async () => {
    const place = ['--tcti', host.tcti, '--dir', path('no-stack'), '--json'] as const
    const out = path('standing.json')
    writeFileSync(path('log.cel'), '')
    const logs = ['--select', '0,7', '--vmm-log', path('log.cel')]
    const collected = await attestry('evidence', 'collect', ...place, ...logs, '--out', out)
    assert.deepEqual(collected.json()['selection'], { bank: 'sha256', pcrs: [0, 7] }, collected.stdout)
    const { pcrs } = (await attestry('pcrs', ...place)).json() as { pcrs: Record<string, Record<string, string>> }
    assert.equal(pcrs['sha256']?.['7'], `0x${'00'.repeat(32)}`)
    for (const command of [['pcrs'], ['evidence', 'collect', '--out', out]]) {
      const wrong = await attestry(...command, '--tcti', 'cmd:reboot', '--json')
      assert.deepEqual(faultOf(wrong), { exit: 2, code: 'TCTI_INVALID' })
    }
  })

  it('takes the configuration that the environment names', async () => {
    const ended = await attestryIn({ ATTESTRY_CONFIG: config }, 'pcrs', '--dir', path('no-stack'), '--json')
    assert.equal(ended.json()['ok'], true, ended.stdout)
  })

  it('refuses a log that is named and missing', async () => {
    for (const log of ['--eventlog', '--ima', '--vmm-log']) {
      const command = ['evidence', 'collect', '--config', config, '--out', path('never.json'), log, path('nowhere')]
      const ended = await attestry(...command, '--json')
      assert.deepEqual(faultOf(ended), { exit: 2, code: 'FILE_UNREADABLE' }, log)
    }
  })

  it('makes no policy in place of one that is there', async () => {
    const [evidence, policy] = [path('whole.json'), path('whole.toml')]
    const before = readFileSync(policy, 'utf8')
    const ended = await attestry('evidence', 'policy', evidence, '--out', policy, '--json')
    assert.deepEqual(faultOf(ended), { exit: 2, code: 'FILE_EXISTS' })
    assert.equal(readFileSync(policy, 'utf8'), before)
    const forced = await attestry('evidence', 'policy', evidence, '--out', policy, '--force', '--json')
    assert.equal(forced.code, 0, forced.stdout)
  })

  it('takes the marks of the trust store for hardware’s', async () => {
    // An emulator is never hardware: what shows is that the mark is read at all.
    mkdirSync(path('roots/hardware'), { recursive: true })
    writeFileSync(path('roots/hardware/garbage.pem'), 'no certificate')
    const { result } = await appraised('marked')
    assert.deepEqual(faultOf(result), { exit: 2, code: 'TRUST_STORE_MALFORMED' })
    rmSync(path('roots/hardware'), { recursive: true })
  })

  it('collects from a TPM without an EK certificate', async () => {
    const dir = path('bare')
    mkdirSync(join(dir, 'state'), { recursive: true })
    const { process, tcti } = await startSwtpm(dir)
    try {
      const out = path('bare.json')
      const ended = await attestry('evidence', 'collect', '--tcti', tcti, '--out', out)
      assert.equal(ended.code, 0, ended.stderr)
      assert.match(ended.stdout, /EK {5}no certificate in this TPM/)
      assert.equal('endorsement' in JSON.parse(readFileSync(out, 'utf8')), false)
    } finally {
      await stopProcess(process)
    }
  })
})
