import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig, readConfig } from '../../src/agent/config.ts'
import { ConfigError, type ConfigErrorCode } from '../../src/core/config-error.ts'

const complete = `
state = "/var/lib/attestry/agent"
[tpm]
tcti = "device:/dev/tpmrm0"
[hsm]
module = "/usr/lib/softhsm/libsofthsm2.so"
token = "attestry"
pin_file = "/run/credentials/pin"
environment = { SOFTHSM2_CONF = "/etc/softhsm2.conf" }
[ledger]
rpc = "http://127.0.0.1:8545"
deployment = "/etc/attestry/deployment.json"
staleness_s = 30
[vmm]
profile = "ci"
selection = [0, 7, 13]
log = "/var/lib/attestry/vmm.cel"
directory = "/var/lib/attestry/vmm"
[api]
socket = "/run/attestry/agent.sock"
release = "submitted"
`

function refuses(text: string, code: ConfigErrorCode, message: RegExp): void {
  assert.throws(
    () => parseConfig(text, 'agent.toml'),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError)
      assert.equal(error.code, code)
      assert.match(error.message, message)
      return true
    },
  )
}

describe('parseConfig', () => {
  it('reads where a sealed PIN lies, and takes it or a file, not both or neither', () => {
    const file = 'pin_file = "/run/credentials/pin"'
    const sealed = 'pin_sealed = "/etc/attestry/sealed.json"\npin_approvals = "/etc/attestry/approvals"'
    assert.deepEqual(parseConfig(complete.replace(file, sealed)).hsm.pin, {
      kind: 'sealed',
      sealed: '/etc/attestry/sealed.json',
      approvals: '/etc/attestry/approvals',
    })
    refuses(complete.replace(file, `${file}\n${sealed}`), 'CONFIG_INVALID', /hsm\.pin_sealed: expected either pin_file/)
    refuses(complete.replace(file, ''), 'CONFIG_INVALID', /hsm\.pin_file/)
    refuses(complete.replace(file, 'pin_sealed = "/x"'), 'CONFIG_INVALID', /hsm\.pin_approvals/)
    refuses(complete.replace(file, `${file}\npin_approvals = "/x"`), 'CONFIG_UNKNOWN_KEY', /hsm\.pin_approvals/)
  })

  it('reads a configuration and fills in what may be left out', () => {
    assert.deepEqual(parseConfig(complete), {
      state: '/var/lib/attestry/agent',
      tpm: { tcti: 'device:/dev/tpmrm0', deadlineMs: 10_000, akHandle: 0x8101_8f00, nvIndex: 0x0180_0a77 },
      hsm: {
        module: '/usr/lib/softhsm/libsofthsm2.so',
        token: 'attestry',
        pin: { kind: 'file', path: '/run/credentials/pin' },
        environment: { SOFTHSM2_CONF: '/etc/softhsm2.conf' },
        deadlineMs: 10_000,
        ledgerKey: 'attestry/ledger/v1',
        dataKey: 'attestry/data/v1',
      },
      ledger: {
        rpc: 'http://127.0.0.1:8545',
        deployment: '/etc/attestry/deployment.json',
        stalenessS: 30,
        includeWithinBlocks: 64,
        timeoutMs: 10_000,
      },
      vmm: {
        profile: 'ci',
        pcr: 13,
        selection: { bank: 'sha256', pcrs: [0, 7, 13] },
        log: '/var/lib/attestry/vmm.cel',
        ima: 'optional',
        imaLog: '/sys/kernel/security/ima/binary_runtime_measurements',
        directory: '/var/lib/attestry/vmm',
      },
      api: {
        socket: '/run/attestry/agent.sock',
        maxInputBytes: 4_194_304,
        release: 'submitted',
        releaseTimeoutMs: 60_000,
        allowedUids: [],
      },
    })
  })

  it('reads which EK is meant, by its kind or by the handle of one, and nothing else', () => {
    const tcti = 'tcti = "device:/dev/tpmrm0"'
    const ekOf = (value: string) => parseConfig(complete.replace(tcti, `${tcti}\nek = ${value}`)).tpm.ek
    for (const [value, name] of [
      ['"rsa-2048"', 'rsa-2048'],
      ['"p-256"', 'p-256'],
      ['"p-384"', 'p-384'],
      ['"p-256-high"', 'p-256-high'],
      ['0x81010001', 'rsa-2048'],
      ['0x81010002', 'p-256'],
      ['0x81010016', 'p-384'],
    ] as const) {
      assert.deepEqual(ekOf(value), [name])
    }
    for (const value of [
      '"P-384"',
      '"rsa"',
      '""',
      '"0x81010001"',
      '["p-384"]',
      'true',
      '0',
      '0x81010003',
      '-1',
      '1.5',
    ]) {
      refuses(complete.replace(tcti, `${tcti}\nek = ${value}`), 'CONFIG_INVALID', /tpm\.ek: expected/)
    }
  })

  it('has the PCR quoted that is extended, where it names none to quote', () => {
    const selection = (pcr: string) => parseConfig(complete.replace('selection = [0, 7, 13]', pcr)).vmm.selection
    assert.deepEqual(selection(''), { bank: 'sha256', pcrs: [13] })
    assert.deepEqual(selection('pcr = 11'), { bank: 'sha256', pcrs: [11] })
  })

  it('takes the profile of a real host, which has no stand-in and quotes firmware too', () => {
    const real = complete.replace(/profile = .*/, 'profile = "qemu-kvm"').replace('selection = [0, 7, 13]', '')
    refuses(real, 'CONFIG_UNKNOWN_KEY', /vmm\.directory/)
    const { vmm } = parseConfig(real.replace(/^directory = .*$/m, ''))
    assert.deepEqual(vmm, {
      profile: 'qemu-kvm',
      pcr: 13,
      selection: { bank: 'sha256', pcrs: [0, 2, 4, 7, 13] },
      log: '/var/lib/attestry/vmm.cel',
      ima: 'optional',
      imaLog: '/sys/kernel/security/ima/binary_runtime_measurements',
    })
  })

  it('names an unknown key and the one that was meant', () => {
    refuses(
      `${complete}relase = "confirmed"`,
      'CONFIG_UNKNOWN_KEY',
      /unknown key api\.relase; did you mean api\.release\?/,
    )
    refuses(complete.replace('[ledger]', '[leger]'), 'CONFIG_UNKNOWN_KEY', /unknown key leger; did you mean ledger\?/)
  })

  it('names an unknown key that resembles none', () => {
    refuses(`${complete}colour = "green"`, 'CONFIG_UNKNOWN_KEY', /unknown key api\.colour$/)
  })

  it('says where it is not TOML', () => {
    refuses('state = "/a"\nstate = ', 'CONFIG_SYNTAX', /^agent\.toml:2:/)
  })

  for (const [what, from, to, message] of [
    ['a missing value', 'token = "attestry"', '', /hsm\.token: expected a string/],
    ['a missing table', '[vmm]', '[x]', /vmm: expected a table/],
    ['a relative path', '"/run/credentials/pin"', '"pin"', /hsm\.pin_file: expected an absolute path/],
    ['a number for a string', '"attestry"', '7', /hsm\.token: expected a string/],
    ['a string for a number', '= 30', '= "30"', /ledger\.staleness_s: expected a whole number/],
    ['a fraction', '= 30', '= 30.5', /ledger\.staleness_s: expected a whole number/],
    ['a number out of bounds', '= 30', '= 0', /expected a whole number from 1 to 86400/],
    ['another scheme', 'http://', 'file://', /ledger\.rpc: expected an http or https URL/],
    ['an unknown choice', '"submitted"', '"later"', /api\.release: expected one of journaled, submitted, confirmed/],
    ['PCRs out of order', '[0, 7, 13]', '[7, 0]', /vmm\.selection: expected at least one number, in ascending order/],
    ['no PCRs', '[0, 7, 13]', '[]', /vmm\.selection/],
    ['a PCR that is not there', '[0, 7, 13]', '[24]', /from 0 to 23/],
    ['a table for a string', 'token = "attestry"', 'token = { a = 1 }', /hsm\.token/],
    ['a number in the environment', '"/etc/softhsm2.conf"', '1', /hsm\.environment\.SOFTHSM2_CONF: expected a string/],
    ['a socket path that is too long', '/run/attestry/', `/run/${'a'.repeat(100)}/`, /at most 107 bytes/],
  ] as const) {
    it(`refuses ${what}`, () => {
      refuses(complete.replace(from, to), 'CONFIG_INVALID', message)
    })
  }

  it('never repeats a value: it may be a secret in the wrong place', () => {
    assert.throws(
      () => parseConfig(complete.replace('"/run/credentials/pin"', '"123456"')),
      (error: Error) => !error.message.includes('123456'),
    )
  })
})

describe('readConfig', () => {
  const dir = mkdtempSync(join(tmpdir(), 'attestry-config-'))
  after(() => rmSync(dir, { recursive: true }))

  it('reads a file', () => {
    const path = join(dir, 'agent.toml')
    writeFileSync(path, complete)
    assert.deepEqual(readConfig(path), parseConfig(complete))
  })

  it('says that the file is not there', () => {
    assert.throws(() => readConfig(join(dir, 'none.toml')), { code: 'CONFIG_UNREADABLE', message: /none\.toml/ })
  })
})
