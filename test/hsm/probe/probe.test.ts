import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pkcs11js, { type Handle, type Template } from 'pkcs11js'
import { type SoftHsm, createSoftHsm } from '../../../hil/stack/softhsm.ts'
import { Attempts } from '../../../src/hsm/probe/attempt.ts'
import { tryAttributes } from '../../../src/hsm/probe/attributes.ts'
import { tryDerivation } from '../../../src/hsm/probe/derivation.ts'
import type { ProbeAttempt } from '../../../src/hsm/probe/report.ts'
import type { ScratchKey } from '../../../src/hsm/probe/scratch-key.ts'
import { tryUsage } from '../../../src/hsm/probe/usage.ts'
import { tryWrapping } from '../../../src/hsm/probe/wrapping.ts'
import { type ProbeReport, probeHsm } from '../../../src/hsm/probe-hsm.ts'
import {
  DATA_KEY,
  LEDGER_PRIVATE_KEY,
  LEDGER_PUBLIC_KEY,
  SECP256K1,
  creationTemplate,
} from '../../../src/hsm/templates.ts'
import { Token } from '../../../src/hsm/token.ts'
import { asForeigner } from '../foreign.ts'

const NSS = '/usr/lib/x86_64-linux-gnu/libsoftokn3.so'
const PIN = '738194'
const succeeded = (attempts: readonly ProbeAttempt[], key: string) =>
  attempts
    .filter((attempt) => attempt.key === key && !['refused', 'unavailable'].includes(attempt.outcome))
    .map(({ name, outcome }) => `${name}: ${outcome}`)

describe('probeHsm', function () {
  this.timeout(60_000)
  let dir: string
  let softHsm: SoftHsm

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-probe-'))
    softHsm = await createSoftHsm(dir, { label: 'probe', pin: PIN, soPin: '55512345' })
  })
  after(() => rm(dir, { recursive: true }))

  describe('on SoftHSM', () => {
    let report: ProbeReport
    before(async () => (report = await probeHsm(softHsm)))

    it('finds nothing that succeeds', () => {
      assert.deepEqual([succeeded(report.attempts, 'ledger'), succeeded(report.attempts, 'data')], [[], []])
      const kept = { ok: true, reasons: [] }
      assert.deepEqual([report.ok, report.keys], [true, { ledger: kept, data: kept }])
      assert.equal(report.module, softHsm.module)
    })

    it('was refused for the key’s sake and not for how it asked', () => {
      const rvOf = (name: string, key: string) => report.attempts.find((a) => a.name === name && a.key === key)?.rv
      for (const key of ['ledger', 'data']) {
        for (const mechanism of ['CKM_AES_KEY_WRAP', 'CKM_AES_CBC', 'CKM_RSA_PKCS', 'CKM_RSA_PKCS_OAEP']) {
          assert.equal(rvOf(`wrap by ${mechanism}`, key), 'CKR_KEY_UNEXTRACTABLE')
        }
        assert.equal(rvOf('read VALUE', key), 'CKR_ATTRIBUTE_SENSITIVE')
        assert.equal(rvOf('copy', key), 'CKR_ACTION_PROHIBITED')
      }
      assert.equal(rvOf('derive by CKM_ECDH1_DERIVE', 'ledger'), 'CKR_KEY_FUNCTION_NOT_PERMITTED')
    })

    it('leaves nothing in the token', () => {
      asForeigner(softHsm, PIN, (pkcs11, session) => {
        pkcs11.C_FindObjectsInit(session, [])
        assert.deepEqual(pkcs11.C_FindObjects(session, 10), [])
      })
    })
  })

  describe('on NSS softokn', () => {
    it('steals both keys, and says that the module has no secp256k1', async () => {
      const [db, pinFile] = [join(dir, 'nss'), join(dir, 'nss-pin')]
      await mkdir(db)
      await writeFile(pinFile, PIN, { mode: 0o600 })
      const made = spawnSync('certutil', ['-N', '-d', `sql:${db}`, '-f', pinFile], { encoding: 'utf8' })
      assert.equal(made.status, 0, made.stderr)
      const parameters = `configdir='sql:${db}' certPrefix='' keyPrefix='' secmod='secmod.db' flags=`
      const report = await probeHsm({ module: NSS, token: 'NSS Certificate DB', parameters, pinFile })
      assert.deepEqual([report.ok, report.keys.ledger.ok, report.keys.data.ok], [false, false, false])
      assert.match(report.keys.ledger.reasons[0] ?? '', /no key for secp256k1/)
      for (const key of ['ledger', 'data']) {
        assert.ok(succeeded(report.attempts, key).includes('wrap by CKM_AES_KEY_WRAP_PAD: stolen'))
        assert.ok(succeeded(report.attempts, key).includes('copy with EXTRACTABLE true: weakened'))
      }
      assert.ok(succeeded(report.attempts, 'data').includes('derive by CKM_SHA256_KEY_DERIVATION: stolen'))
    })
  })

  // What is tried succeeds where nothing forbids it: else a refusal would say nothing.
  describe('of keys that are not kept', () => {
    const open: Template = [
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_SENSITIVE, value: false },
      { type: pkcs11js.CKA_EXTRACTABLE, value: true },
      { type: pkcs11js.CKA_MODIFIABLE, value: true },
      { type: pkcs11js.CKA_COPYABLE, value: true },
      { type: pkcs11js.CKA_DERIVE, value: true },
      { type: pkcs11js.CKA_WRAP, value: true },
      { type: pkcs11js.CKA_UNWRAP, value: true },
      { type: pkcs11js.CKA_SIGN, value: true },
      { type: pkcs11js.CKA_DECRYPT, value: true },
    ]
    const changed = (template: Template): Template => [
      ...template.filter(({ type }) => !open.some((one) => one.type === type)),
      ...open,
    ]
    let token: Token

    before(() => {
      process.env['SOFTHSM2_CONF'] = softHsm.environment.SOFTHSM2_CONF
      token = new Token(softHsm, () => PIN)
    })
    after(() => {
      token.close()
      delete process.env['SOFTHSM2_CONF']
    })

    const tried = (kind: 'ledger' | 'data', handle: Handle): readonly string[] => {
      const [attempts, key] = [new Attempts(token), { kind, handle, shortcomings: [] } satisfies ScratchKey]
      tryUsage(attempts, key)
      tryDerivation(attempts, token, key)
      tryWrapping(attempts, token, key)
      tryAttributes(attempts, key)
      return succeeded(attempts.list, kind)
    }
    const includes = (all: readonly string[], some: readonly string[]) =>
      assert.deepEqual(
        some.filter((one) => !all.includes(one)),
        [],
      )

    it('takes a ledger key', () => {
      const usable = open.filter(({ type }) => ![pkcs11js.CKA_WRAP].includes(type))
      const template = creationTemplate(LEDGER_PRIVATE_KEY, 'open', [])
        .filter(({ type }) => !usable.some((one) => one.type === type))
        .concat(usable)
      const publicTemplate = creationTemplate(LEDGER_PUBLIC_KEY, 'open', [
        { type: pkcs11js.CKA_EC_PARAMS, value: SECP256K1 },
      ]).map((one) => (one.type === pkcs11js.CKA_TOKEN ? { ...one, value: false } : one))
      const { privateKey } = token.call('C_GenerateKeyPair', (pkcs11, session) =>
        pkcs11.C_GenerateKeyPair(session, { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN }, publicTemplate, template),
      )
      includes(tried('ledger', privateKey), [
        'read VALUE: stolen',
        'copy: weakened',
        'set UNWRAP to true: weakened',
        'derive by CKM_ECDH1_DERIVE: stolen',
        'wrap by CKM_AES_KEY_WRAP_PAD: stolen',
      ])
    })

    it('takes a data key', () => {
      const size = { type: pkcs11js.CKA_VALUE_LEN, value: 32 }
      const template = changed(creationTemplate(DATA_KEY, 'open', [size]))
      const handle = token.call('C_GenerateKey', (pkcs11, session) =>
        pkcs11.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, template),
      )
      includes(tried('data', handle), [
        'read VALUE: stolen',
        'copy: weakened',
        'sign: misused',
        'wrap another key with it by CKM_AES_KEY_WRAP: misused',
        'derive by CKM_AES_CBC_ENCRYPT_DATA: stolen',
        'wrap by CKM_AES_KEY_WRAP: stolen',
        'wrap by CKM_RSA_PKCS_OAEP: stolen',
      ])
    })
  })
})
