import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createSoftHsm, type SoftHsm } from '../../hil/stack/softhsm.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm, swtpmTrustAnchors } from '../../hil/stack/swtpm.ts'
import { readConfig } from '../../src/agent/config.ts'
import { openHsm } from '../../src/agent/open-hsm.ts'
import { toHex } from '../../src/core/bytes.ts'
import { quoteInfoOf } from '../../src/evidence/vmm-hash.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { attestry, faultOf, type Ended } from './command.ts'

const pemOf = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()

describe('attestry pin', function () {
  this.timeout(300_000)
  let dir: string
  let swtpm: StackProcess
  let tcti: string
  let softHsm: SoftHsm
  const pin = randomBytes(16).toString('hex')
  const at = (name: string) => join(dir, name)
  const run = async (...args: readonly string[]): Promise<Ended> => {
    const ended = await attestry('pin', ...args, '--json')
    assert.equal(`${ended.stdout}${ended.stderr}`.includes(pin), false)
    return ended
  }
  const seal = (trust = at('trust')) =>
    run(
      'seal',
      '--config',
      at('a.toml'),
      '--approver',
      at('team.pub'),
      '--pin-file',
      at('pin'),
      '--out',
      at('sealed.json'),
      '--trust',
      trust,
    )
  const approve = (...args: readonly string[]) => run('approve', '--key', at('team.key'), ...args)

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-pin-'))
    await manufactureSwtpm(dir)
    ;({ process: swtpm, tcti } = await startSwtpm(dir))
    softHsm = await createSoftHsm(dir, { label: 'pin test', pin, soPin: '55512345' })
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(at('team.pub'), pemOf(publicKey))
    await writeFile(at('team.key'), pemOf(privateKey), { mode: 0o600 })
    await mkdir(at('approvals'))
    await mkdir(at('trust'))
    for (const anchor of swtpmTrustAnchors(dir)) await copyFile(anchor, join(at('trust'), basename(anchor)))
    await writeFile(at('a.toml'), configuration())
  })
  after(async () => {
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  const configuration = (): string => `
state = "${dir}/state"
[tpm]
tcti = "${tcti}"
deadline_ms = 60000
[hsm]
module = "${softHsm.module}"
token = "${softHsm.token}"
pin_sealed = "${at('sealed.json')}"
pin_approvals = "${at('approvals')}"
environment = { SOFTHSM2_CONF = "${softHsm.environment.SOFTHSM2_CONF}" }
deadline_ms = 60000
[ledger]
rpc = "http://127.0.0.1:1"
deployment = "${dir}/deployment.json"
[vmm]
profile = "ci"
log = "${dir}/vmm.cel"
directory = "${dir}"
[api]
socket = "${dir}/agent.sock"
`

  it('seals, approves and tests; the HSM opens with the PIN, and does not where the VMM is another one', async () => {
    const sealed = await seal()
    assert.equal(sealed.code, 0, sealed.stdout)
    assert.equal((await stat(at('sealed.json'))).mode & 0o777, 0o600)
    assert.equal((await readFile(at('sealed.json'))).includes(pin), false)
    assert.deepEqual(faultOf(await run('test', '--config', at('a.toml'))), { exit: 1, code: 'PIN_NOT_APPROVED' })

    const tpm = new Tpm({ tcti, deadlineMs: 60_000 })
    try {
      await tpm.extendPcr(13, randomBytes(32))
      const pcrs = await attestry('pcrs', '--config', at('a.toml'), '--json')
      await writeFile(at('pcrs.json'), pcrs.stdout)
      const approval = at('approvals/now.json')
      const these = ['--pcrs', at('pcrs.json'), '--select', '13', '--out', approval]
      assert.deepEqual(faultOf(await approve(...these)), { exit: 2, code: 'PCRS_INVALID' })
      const approved = await approve(...these, '--without-firmware')
      assert.equal(approved.code, 0, approved.stdout)
      const opens = await run('test', '--config', at('a.toml'))
      assert.equal(opens.code, 0, opens.stdout)
      assert.equal(opens.json()['approval'], approval)

      // The token logs in with what came through the descriptor.
      const hsm = openHsm(readConfig(at('a.toml')))
      try {
        assert.equal((await hsm.generateKey('attestry/data/v1')).label, 'attestry/data/v1')
      } finally {
        await hsm.close()
      }
      await tpm.extendPcr(13, randomBytes(32))
      const refused = openHsm(readConfig(at('a.toml')))
      try {
        await assert.rejects(refused.listKeys(), { name: 'PinError', code: 'PIN_NOT_APPROVED' })
      } finally {
        await refused.close()
      }
      assert.deepEqual(faultOf(await attestry('key', 'list', '--config', at('a.toml'), '--json')), {
        exit: 1,
        code: 'PIN_NOT_APPROVED',
      })
    } finally {
      await tpm.close()
    }
  })

  it('refuses what is no use to seal or to approve', async () => {
    const own = ['--config', at('a.toml'), '--trust', at('trust'), '--out', at('x.json')]
    const privately = await run('seal', ...own, '--approver', at('team.key'), '--pin-file', at('pin'))
    assert.deepEqual(faultOf(privately), { exit: 2, code: 'APPROVER_KEY_INVALID' })
    await writeFile(at('long'), 'x'.repeat(129), { mode: 0o600 })
    const long = await run('seal', ...own, '--approver', at('team.pub'), '--pin-file', at('long'))
    assert.deepEqual(faultOf(long), { exit: 2, code: 'PIN_UNSUITABLE' })
    assert.deepEqual(faultOf(await approve('--out', at('x.json'))), { exit: 2, code: 'USAGE' })
    await writeFile(at('open.key'), await readFile(at('team.key')), { mode: 0o644 })
    const open = ['approve', '--key', at('open.key'), '--pcrs', at('x'), '--out', at('x.json')]
    assert.deepEqual(faultOf(await run(...open)), { exit: 2, code: 'FILE_UNREADABLE' })
    await writeFile(at('empty.cel'), '')
    const empty = ['--vmm-log', at('empty.cel'), '--select', '13', '--without-firmware', '--out', at('x.json')]
    const nothing = await approve(...empty)
    assert.deepEqual(faultOf(nothing), { exit: 2, code: 'PCRS_INVALID' })
    assert.match(nothing.stdout, /without events/)
    await writeFile(at('p.json'), '{"ok": true}')
    assert.deepEqual(faultOf(await approve('--predicted', at('p.json'), '--out', at('x.json'))), {
      exit: 2,
      code: 'USAGE',
    })
    await assert.rejects(stat(at('x.json')))
  })

  it('seals to no TPM of an unknown authority, and reads no PIN for it', async () => {
    await mkdir(at('other'))
    await manufactureSwtpm(at('other'))
    await mkdir(at('others'))
    for (const anchor of swtpmTrustAnchors(at('other'))) await copyFile(anchor, join(at('others'), basename(anchor)))
    await rm(at('sealed.json'), { force: true })
    assert.deepEqual(faultOf(await seal(at('others'))), { exit: 1, code: 'CHAIN_SIGNATURE' })
    await assert.rejects(stat(at('sealed.json')))
  })

  it('approves a prediction for the PCRs of --select and no others', async () => {
    const predict = async (pcrs: readonly number[], ok = true, zero?: number): Promise<void> => {
      const values = new Map(pcrs.map((pcr) => [pcr, new Uint8Array(32).fill(pcr === zero ? 0 : pcr + 1)]))
      const selection = { bank: 'sha256', pcrs } as const
      const attested = toHex(quoteInfoOf(selection, values))
      const hex = Object.fromEntries([...values].map(([pcr, value]) => [pcr, toHex(value)]))
      const value = hex[13]
      await writeFile(at('next.json'), JSON.stringify({ ok, selection, pcr: 13, value, pcrs: hex, attested }))
    }
    const approved = () => approve('--predicted', at('next.json'), '--out', at('next-vmm.json'))
    await predict([0, 2, 4, 7, 13])
    assert.equal((await approved()).code, 0)
    await rm(at('next-vmm.json'))
    for (const pcrs of [[13], [0, 13], [0, 2, 4, 7, 8, 13]]) {
      await predict(pcrs)
      assert.deepEqual(faultOf(await approved()), { exit: 2, code: 'PCRS_INVALID' }, pcrs.join())
    }
    await predict([0, 2, 4, 7, 13], true, 13)
    assert.deepEqual(faultOf(await approved()), { exit: 2, code: 'PCRS_INVALID' })
    await predict([0, 2, 4, 7, 13], false)
    assert.deepEqual(faultOf(await approved()), { exit: 2, code: 'USAGE' })
    await assert.rejects(stat(at('next-vmm.json')))
  })
})
