import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pkcs11js from 'pkcs11js'
import { type SoftHsm, createSoftHsm } from '../../hil/stack/softhsm.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { Hsm, type HsmConfig } from '../../src/hsm/hsm.ts'
import { asForeigner, destroy, makePair } from './foreign.ts'
import { SCOPE, receiptFor } from './message.ts'
import { DATA_KEY, LEDGER_KEY, hsmSuite } from './suite.ts'

const PIN = '738194'
const SO_PIN = '55512345'
const dataId: Hex = `0x${'11'.repeat(32)}`
const digest = new Uint8Array(32).fill(7)
const receipt = receiptFor(digest)

describe('Hsm on SoftHSM', () => {
  let dir: string
  let softHsm: SoftHsm
  const opened: Hsm[] = []
  const open = (changes: Partial<HsmConfig> = {}): Hsm => {
    const hsm = new Hsm({ ...softHsm, ledgerKey: LEDGER_KEY, dataKey: DATA_KEY, scope: SCOPE, ...changes })
    opened.push(hsm)
    return hsm
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-softhsm-'))
    softHsm = await createSoftHsm(dir, { label: 'attestry test', pin: PIN, soPin: SO_PIN })
  })
  afterEach(() => Promise.all(opened.splice(0).map((hsm) => hsm.close())))
  after(() => rm(dir, { recursive: true }))

  describe('as any HSM', () =>
    hsmSuite(() => Promise.resolve(new Hsm({ ...softHsm, ledgerKey: LEDGER_KEY, dataKey: DATA_KEY, scope: SCOPE }))))

  describe('configuration', () => {
    it('refuses to make a token whose label is taken', async () => {
      const again = createSoftHsm(dir, { label: 'attestry test', pin: PIN, soPin: SO_PIN })
      await assert.rejects(again, /labelled attestry test already/)
    })

    it('names a module that is missing, or is none', async () => {
      await assert.rejects(open({ module: '/no/such/module.so' }).ledgerKey(), { code: 'MODULE_MISSING' })
      await assert.rejects(open({ module: '/etc/hostname' }).ledgerKey(), { code: 'MODULE_MISSING' })
    })

    it('names a token that is not there', async () => {
      await assert.rejects(open({ token: 'attestry tes' }).ledgerKey(), { code: 'TOKEN_NOT_FOUND' })
    })

    it('names a key that is not there', async () => {
      const hsm = open({ ledgerKey: 'attestry/ledger/v9', dataKey: 'attestry/data/v9' })
      await assert.rejects(hsm.ledgerKey(), { code: 'KEY_NOT_FOUND' })
      await assert.rejects(hsm.sign(receipt), { code: 'KEY_NOT_FOUND' })
      const region = await hsm.openRegion(digest)
      await assert.rejects(region.encrypt(dataId), { code: 'KEY_NOT_FOUND' })
    })

    it('refuses a label of the wrong kind', async () => {
      await assert.rejects(open({ ledgerKey: DATA_KEY }).ledgerKey(), { code: 'KEY_LABEL_INVALID' })
    })

    it('tries a wrong PIN once, and never again', async () => {
      const pinFile = join(dir, 'wrong-pin')
      await writeFile(pinFile, '000000', { mode: 0o600 })
      const hsm = open({ pinFile })
      await assert.rejects(hsm.ledgerKey(), { name: 'Pkcs11Error', code: 'PIN_INCORRECT', rv: 0xa0, fn: 'C_Login' })
      // Neither a new process nor a PIN that is right by now: the error stands.
      await writeFile(pinFile, PIN)
      await assert.rejects(hsm.sign(receipt), { code: 'PIN_INCORRECT' })
      assert.equal(hsm.pid, undefined)
      assert.equal(hsm.state, 'stopped')
    })

    it('keeps the PIN out of errors, arguments and environment', async () => {
      const hsm = open()
      await hsm.ledgerKey()
      for (const name of ['cmdline', 'environ']) {
        assert.ok(!(await readFile(`/proc/${hsm.pid ?? 0}/${name}`, 'utf8')).includes(PIN), name)
      }
    })

    it('lets no other process of its user read its memory', () => {
      const module = new URL('../../src/hsm/hsm.ts', import.meta.url).href
      const config = { ...softHsm, ledgerKey: LEDGER_KEY, dataKey: DATA_KEY }
      // Its own memory first: what is refused is refused because of the process, not everywhere.
      const script = `import { closeSync, openSync } from 'node:fs'
        import { Hsm } from ${JSON.stringify(module)}
        const hsm = new Hsm(${JSON.stringify(config)})
        await hsm.listKeys()
        for (const pid of ['self', hsm.pid]) {
          try { closeSync(openSync('/proc/' + pid + '/mem', 'r')); console.log('open') } catch (error) { console.log(error.code) }
        }
        await hsm.close()`
      const node = [process.execPath, '--input-type=module-typescript', '-e', script]
      // With this capability, which root has, any process can be read.
      const without = process.getuid?.() === 0 ? ['--bounding-set=-sys_ptrace', '--inh-caps=-sys_ptrace'] : []
      const { stdout, stderr } = spawnSync('setpriv', [...without, ...node], { encoding: 'utf8' })
      assert.equal(stdout, 'open\nEACCES\n', stderr)
    })

    it('refuses a PIN file that others may read', async () => {
      const pinFile = join(dir, 'open-pin')
      await writeFile(pinFile, PIN, { mode: 0o640 })
      await assert.rejects(open({ pinFile }).ledgerKey(), { name: 'Pkcs11Error', code: 'PIN_FILE_UNSAFE' })
    })
  })

  describe('keys that others made', () => {
    it('refuses two keys with one label', async () => {
      const privateLabel = 'attestry/ledger/v7'
      asForeigner(softHsm, PIN, (pkcs11, session) => {
        for (let i = 0; i < 2; i++) makePair(pkcs11, session, { privateLabel })
      })
      await assert.rejects(open({ ledgerKey: privateLabel }).ledgerKey(), { code: 'KEY_AMBIGUOUS' })
      const key = (await open().listKeys()).find(({ label }) => label === privateLabel)
      assert.equal(key?.problem, 'KEY_AMBIGUOUS')
    })

    it('refuses a key that could leave the token, and names what is wrong', async () => {
      const privateLabel = 'attestry/ledger/v6'
      const changes = [{ type: pkcs11js.CKA_EXTRACTABLE, value: true }]
      asForeigner(softHsm, PIN, (pkcs11, session) => makePair(pkcs11, session, { privateLabel, changes }))
      await assert.rejects(open({ ledgerKey: privateLabel }).ledgerKey(), {
        code: 'KEY_ATTRIBUTES',
        message: /EXTRACTABLE is true, expected false/,
      })
    })

    it('refuses a private key that is not the public key’s', async () => {
      const label = 'attestry/ledger/v5'
      asForeigner(softHsm, PIN, (pkcs11, session) => {
        makePair(pkcs11, session, { privateLabel: label, publicLabel: 'scratch' })
        makePair(pkcs11, session, { privateLabel: 'scratch', publicLabel: label })
      })
      await assert.rejects(open({ ledgerKey: label }).ledgerKey(), { code: 'SIGNATURE_WRONG' })
    })

    for (const killed of [false, true]) {
      it(`notices that a label was given to another key, ${killed ? 'after' : 'without'} a restart`, async () => {
        const label = killed ? 'attestry/ledger/v4' : 'attestry/ledger/v3'
        const hsm = open({ ledgerKey: label })
        const { address } = await hsm.generateKey(label)
        assert.equal((await hsm.ledgerKey()).address, address)
        asForeigner(softHsm, PIN, (pkcs11, session) => {
          destroy(pkcs11, session, label)
          makePair(pkcs11, session, { privateLabel: label })
        })
        if (killed) {
          process.kill(hsm.pid ?? 0, 'SIGKILL')
          while (hsm.state === 'ready') await sleep(5)
        }
        await assert.rejects(hsm.sign(receipt), { code: 'KEY_CHANGED' })
        await assert.rejects(hsm.ledgerKey(), { code: 'KEY_CHANGED' })
      })
    }
  })

  describe('faults', () => {
    it('signs again after its process was killed, and has lost its regions', async () => {
      const hsm = open()
      const { address } = await hsm.ledgerKey()
      const region = await hsm.openRegion(Buffer.from('data'))
      process.kill(hsm.pid ?? 0, 'SIGKILL')
      while (hsm.state === 'ready') await sleep(5)
      await hsm.sign(receipt)
      assert.equal((await hsm.ledgerKey()).address, address)
      await assert.rejects(region.encrypt(dataId), { code: 'REGION_LOST' })
      await region.close()
    })

    it('gives up a call that does not end, and works again with another process', async () => {
      const hsm = open({ deadlineMs: 6000 })
      await hsm.ledgerKey()
      const { pid = 0 } = hsm
      process.kill(pid, 'SIGSTOP')
      await assert.rejects(hsm.sign(receipt), { name: 'DeviceError', code: 'DEADLINE' })
      await hsm.sign(receipt)
      assert.notEqual(hsm.pid, pid)
    })

    it('says that the token is gone, and finds it when it is back', async () => {
      const hsm = open()
      const { address } = await hsm.ledgerKey()
      const [tokens, away] = [join(dir, 'tokens'), join(dir, 'away')]
      await rename(tokens, away)
      try {
        await assert.rejects(hsm.sign(receipt), { name: 'Pkcs11Error', code: 'DEVICE_FAILED' })
        await assert.rejects(hsm.sign(receipt), { name: 'Pkcs11Error', code: 'DEVICE_FAILED' })
      } finally {
        await rename(away, tokens)
      }
      await hsm.sign(receipt)
      assert.equal((await hsm.ledgerKey()).address, address)
    })

    it('leaves no process when it is closed', async () => {
      const hsm = open()
      await hsm.ledgerKey()
      const { pid = 0 } = hsm
      await hsm.close()
      assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
      await assert.rejects(hsm.sign(receipt), { code: 'STOPPED' })
    })
  })
})
