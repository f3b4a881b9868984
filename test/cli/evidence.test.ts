import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attestry, faultOf } from './command.ts'

const vector = (name: string) => fileURLToPath(new URL(`../vectors/tpm/${name}`, import.meta.url))

/** A capture as separate files, as tpm2-tools and the kernel wrote them. */
const filesOf = (capture: string) => [
  ...['--attest', vector(`${capture}/quote_ecc.attest`), '--signature', vector(`${capture}/quote_ecc.sig`)],
  ...['--public', vector(`${capture}/ak_ecc.tpm2b_public`), '--pcrs', vector(`${capture}/quote_ecc.pcrs`)],
  ...['--eventlog', vector(`${capture}/binary_bios_measurements`)],
  ...['--ima', vector(`${capture}/ima_binary_runtime_measurements`)],
  ...['--ek', vector(`${capture}/ek.pub`), '--ek-certificate', vector(`${capture}/ek_cert_rsa.der`)],
]
const asked = (capture: string) => ['--nonce', vector(`${capture}/quote_nonce.hex`), '--trust', vector('ca')]

const BASELINE = '01-ovmf-baseline'
const CHANGED = '02-ovmf-cmdline-vmm-changed'
const SECURE_BOOT = '04-ovmf-secureboot-shim-grub'

interface Result {
  readonly ok: boolean
  readonly vmmHash: string
  readonly claims: readonly Readonly<Record<'name' | 'status' | 'expected' | 'found' | 'code', string | null>>[]
}

describe('attestry evidence', function () {
  this.timeout(60_000)
  let dir: string
  let policy: string
  const appraise = async (...args: readonly string[]) => {
    const ended = await attestry('evidence', 'appraise', ...args, '--json')
    return { ...ended, result: ended.json() as unknown as Result }
  }

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-evidence-'))
    policy = join(dir, 'policy.toml')
    const made = await attestry('evidence', 'policy', ...filesOf(BASELINE), '--out', policy, '--json')
    assert.equal(made.code, 0, made.stdout + made.stderr)
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  it('takes a host under the policy made of it', async () => {
    const { code, result } = await appraise(...filesOf(BASELINE), '--policy', policy, ...asked(BASELINE))
    assert.equal(code, 0)
    assert.equal(result.ok, true)
    assert.match(result.vmmHash, /^0x[0-9a-f]{64}$/)
    assert.deepEqual(Object.keys(result.claims[0] ?? {}), ['name', 'status', 'expected', 'found', 'code'])
  })

  it('names the command line and the file of the VMM where both were changed', async () => {
    const { code, result } = await appraise(...filesOf(CHANGED), '--policy', policy, ...asked(CHANGED))
    assert.equal(code, 1)
    assert.equal(result.ok, false)
    const failed = result.claims.filter(({ status }) => status === 'fail').map(({ name }) => name)
    // Another boot of another TPM: its key is none of the policy's. What differs beyond that is what was changed.
    assert.deepEqual(failed, [
      'attestation-key',
      'command-line',
      'ima-files',
      'ima:/mnt/vmm/bin/fake-vmm',
      'ima:/mnt/vmm/etc/agent.conf',
      'ima:/mnt/vmm/etc/agent.conf',
    ])
  })

  it('lists whether Secure Boot was on, under the policy made of that host and under another’s', async () => {
    const own = join(dir, 'secure-boot.toml')
    const made = await attestry('evidence', 'policy', ...filesOf(SECURE_BOOT), '--out', own, '--json')
    assert.equal(made.code, 0, made.stdout)
    const under = async (file: string) => {
      const { code, result } = await appraise(...filesOf(SECURE_BOOT), '--policy', file, ...asked(SECURE_BOOT))
      const { status, expected, found } = result.claims.find(({ name }) => name === 'secure-boot') ?? {}
      return { code, ok: result.ok, status, expected, found }
    }
    assert.deepEqual(await under(own), { code: 0, ok: true, status: 'pass', expected: 'on', found: 'on' })
    assert.deepEqual(await under(policy), { code: 1, ok: false, status: 'fail', expected: 'off', found: 'on' })
    const ended = await attestry(
      'evidence',
      'appraise',
      ...filesOf(SECURE_BOOT),
      '--policy',
      own,
      ...asked(SECURE_BOOT),
    )
    assert.match(ended.stdout, /^pass {2}secure-boot\b.*on$/m)
  })

  it('says on the terminal what a policy lets pass', async () => {
    const out = join(dir, 'noted.toml')
    const { stdout } = await attestry('evidence', 'policy', ...filesOf(CHANGED), '--out', out)
    assert.match(stdout, /^note {4}violations = "allow": \d+ files/m)
  })

  it('says in words, within 80 columns, what was expected and what was found', async () => {
    const ended = await attestry('evidence', 'appraise', ...filesOf(CHANGED), '--policy', policy, ...asked(CHANGED))
    assert.equal(ended.code, 1)
    assert.match(
      ended.stdout,
      /^FAIL {2}command-line: EVENT_DIFFERS\n {8}expected 0x04b82bb9.*\n {8}found {4}0x90cb66e4/m,
    )
    assert.match(ended.stdout, /appraised: NOT good, \d of \d+ claims/)
    // What is open and may be has another mark than what is open and must not be.
    assert.match(ended.stdout, /^- {5}clock-forward: NOT_IN_POLICY$/m)
    // Another AK: nobody knows where it is from, nor with which EK.
    const open = [...ended.stdout.matchAll(/^OPEN {2}(.*)$/gm)].map(([, claim]) => claim)
    assert.deepEqual(open, ['signer: KEY_UNKNOWN', 'attestation-key-ek: KEY_UNKNOWN'])
    assert.match(ended.stdout, /^FAIL {2}attestation-key: KEY_UNKNOWN\n {8}expected 0x000b[0-9a-f]{64}$/m)
    const unasked = await attestry('evidence', 'appraise', ...filesOf(BASELINE), '--policy', policy)
    assert.match(unasked.stdout, /^OPEN {2}nonce: NONCE_MISSING$/m)
    assert.match(unasked.stdout, /^- {5}clock-forward: NOT_IN_POLICY$/m)
    const long = ended.stdout.split('\n').filter((line) => line.length > 80 && !/0x|sha256:/.test(line))
    assert.deepEqual(long, [])
  })

  it('takes the certificates above the EK’s from a file of their own, PEM or DER', async () => {
    const roots = join(dir, 'roots')
    mkdirSync(roots)
    copyFileSync(vector('ca/swtpm-localca-rootca-cert.pem'), join(roots, 'root.pem'))
    const der = join(dir, 'issuer.der')
    writeFileSync(der, new X509Certificate(readFileSync(vector('ca/issuercert.pem'))).raw)
    const by = async (...more: readonly string[]) => {
      const nonce = ['--nonce', vector(`${BASELINE}/quote_nonce.hex`)]
      const args = [...filesOf(BASELINE), '--policy', policy, ...nonce, '--trust', roots, ...more]
      return (await appraise(...args)).result.ok
    }
    assert.equal(await by(), false)
    for (const file of [vector('ca/issuercert.pem'), der]) assert.equal(await by('--ek-intermediates', file), true)
  })

  it('denies an old quote: without the nonce that was asked with, and with another', async () => {
    const without = await appraise(...filesOf(BASELINE), '--policy', policy, '--trust', vector('ca'))
    const other = await appraise(
      ...filesOf(BASELINE),
      '--policy',
      policy,
      '--trust',
      vector('ca'),
      '--nonce',
      '00ff00ff00ff00ff',
    )
    for (const [{ code, result }, reason] of [[without, 'NONCE_MISSING'] as const, [other, 'NONCE_DIFFERS'] as const]) {
      assert.equal(code, 1)
      assert.deepEqual(result.claims.find(({ name }) => name === 'nonce')?.code, reason)
    }
  })

  it('denies under an empty policy', async () => {
    const empty = join(dir, 'empty.toml')
    writeFileSync(empty, '')
    const { code, result } = await appraise(...filesOf(BASELINE), '--policy', empty, ...asked(BASELINE))
    assert.deepEqual([code, result.ok], [1, false])
  })

  it('has no result for a quote that is not authentic', async () => {
    const attest = join(dir, 'other.attest')
    const bytes = readFileSync(vector(`${BASELINE}/quote_ecc.attest`))
    bytes[70] = (bytes[70] ?? 0) ^ 1
    writeFileSync(attest, bytes)
    const ended = await attestry(
      'evidence',
      'appraise',
      ...filesOf(BASELINE),
      '--attest',
      attest,
      '--policy',
      policy,
      '--json',
    )
    assert.deepEqual(faultOf(ended), { exit: 1, code: 'QUOTE_SIGNATURE' })
  })

  it('refuses what it cannot read, with exit code 2', async () => {
    const broken = join(dir, 'broken.json')
    writeFileSync(broken, '{"format": 1}')
    const pem = join(dir, 'ak.pem')
    writeFileSync(pem, '-----BEGIN PUBLIC KEY-----\n')
    const mistyped = join(dir, 'mistyped.toml')
    writeFileSync(mistyped, 'freshnes = "none"\n')
    const policied = ['--policy', policy]
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ['USAGE', policied],
      ['USAGE', [broken, '--attest', broken, ...policied]],
      ['USAGE', [...filesOf(BASELINE), ...policied, '--nonce', 'xyz']],
      ['USAGE', [...filesOf(BASELINE), ...policied, '--nonce', '']],
      ['USAGE', [...filesOf(BASELINE), ...policied, '--nonce', '00112233445566']],
      ['FILE_UNREADABLE', [...filesOf(BASELINE), ...policied, '--nonce', dir]],
      [
        'USAGE',
        [...filesOf(BASELINE), '--ek-certificate', vector(`${BASELINE}/ek_cert_rsa.der`), ...policied].filter(
          (arg) => !/^--ek$|ek\.pub$/.test(arg),
        ),
      ],
      ['USAGE', [...filesOf(BASELINE)]],
      ['EVIDENCE_MALFORMED', [broken, ...policied]],
      ['FILE_UNREADABLE', [join(dir, 'absent.json'), ...policied]],
      ['FILE_UNREADABLE', [...filesOf(BASELINE), '--public', pem, ...policied]],
      ['CONFIG_UNKNOWN_KEY', [...filesOf(BASELINE), '--policy', mistyped]],
      ['PCR_FILE_FORMAT', [...filesOf(BASELINE), '--pcrs', pem, ...policied]],
    ]
    for (const [code, args] of cases) {
      const ended = await attestry('evidence', 'appraise', ...args, '--json')
      assert.deepEqual(faultOf(ended), { exit: 2, code }, args.join(' '))
    }
  })
})
