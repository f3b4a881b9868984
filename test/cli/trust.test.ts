import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writePem } from '../../src/auditor/pem.ts'
import { nameOf } from '../../src/tcg/name.ts'
import { AT, makeAuthority, makeEk, makeList } from '../evidence/authority.ts'
import { tpmtPublic } from '../tcg/tpm-vectors.ts'
import { attestry, faultOf } from './command.ts'

const vector = (name: string) => fileURLToPath(new URL(`../vectors/tpm/${name}`, import.meta.url))
const at = ['--at', AT.toISOString()]

describe('attestry trust', () => {
  let dir: string
  let store: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-trust-'))
    store = join(dir, 'store')
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  const run = (...words: readonly string[]) => attestry('trust', ...words, '--store', store, '--json')
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(dir, name), content)
    return join(dir, name)
  }
  const swtpmAuthorities = [vector('ca/issuercert.pem'), vector('ca/swtpm-localca-rootca-cert.pem')]

  it('adds a real TPM’s authorities, lists them, and checks its certificates as OpenSSL does', async () => {
    const added = await run('add', ...swtpmAuthorities)
    assert.equal(added.code, 0, added.stdout)
    const { certificates } = (await run('list')).json() as { certificates: { kind: string; hardware: boolean }[] }
    assert.deepEqual(certificates.map(({ kind, hardware }) => [kind, hardware]).sort(), [
      ['intermediate', false],
      ['root', false],
    ])
    for (const name of ['01-ovmf-baseline/ek_cert_rsa.der', '04-ovmf-secureboot-shim-grub/ek_cert_ecc_p384.der']) {
      const checked = await run('check', vector(name), ...at)
      assert.equal(checked.code, 0, checked.stdout)
      const { assurance, tpm, findings } = checked.json() as { assurance: string; tpm: { model: string }; findings: [] }
      assert.deepEqual([assurance, tpm.model, findings], ['Software', 'swtpm', []])
      const { revocation } = checked.json() as { revocation: readonly { list: string | null }[] }
      assert.deepEqual(
        revocation.map(({ list }) => list),
        [null, null],
      )
      const pem = execFileSync('openssl', ['x509', '-inform', 'der', '-in', vector(name)])
      const [issuer = '', root = ''] = swtpmAuthorities
      const judged = execFileSync('openssl', [
        ...['verify', '-CAfile', root, '-untrusted', issuer, '-attime', String(AT.valueOf() / 1000)],
        // OpenSSL does not process the TPM's name in the critical subjectAltName, which has no subject beside it.
        ...['-ignore_critical', file('ek.pem', pem)],
      ])
      assert.match(judged.toString(), /OK/)
    }
  })

  it('checks that the certificate is for the EK', async () => {
    await run('add', ...swtpmAuthorities)
    const check = (ek: string) =>
      run('check', vector('01-ovmf-baseline/ek_cert_rsa.der'), '--ek-public', vector(ek), ...at)
    const { hostId, template } = (await check('01-ovmf-baseline/ek.pub')).json()
    const name = Buffer.from(nameOf(tpmtPublic('01-ovmf-baseline/ek.pub')).slice(2)).toString('hex')
    assert.deepEqual([hostId, template], [`0x${name}`, 'L-1'])
    assert.deepEqual(faultOf(await check('swtpm-primary-ak/ek_rsa.pub')), { exit: 1, code: 'CERTIFICATE_OTHER_KEY' })
  })

  it('says no, with its reason, to what is not good', async () => {
    await run('add', ...swtpmAuthorities)
    const certificate = vector('01-ovmf-baseline/ek_cert_rsa.der')
    const fault = async (...words: readonly string[]) => faultOf(await run('check', ...words))
    assert.deepEqual(await fault(certificate, '--at', '2020-01-01'), { exit: 1, code: 'CHAIN_EXPIRED' })
    assert.deepEqual(await fault(certificate, '--require-lists', ...at), { exit: 1, code: 'CRL_MISSING' })
    const other = vector('swtpm-primary-ak/ek_cert_rsa.der')
    assert.deepEqual(await fault(other, ...at), { exit: 1, code: 'CHAIN_SIGNATURE' })
    assert.deepEqual(await fault(join(dir, 'missing'), ...at), { exit: 2, code: 'FILE_UNREADABLE' })
    assert.deepEqual(await fault(file('noise', 'words'), ...at), { exit: 2, code: 'TRUST_STORE_MALFORMED' })
  })

  it('takes intermediates beside the certificate, knows hardware’s roots, and what was revoked', async () => {
    const root = await makeAuthority('CN=Vendor root')
    const issuer = await makeAuthority('CN=Vendor intermediate', { issuer: root })
    const ek = await makeEk()
    const pem = (der: Uint8Array) => writePem({ kind: 'certificate', der })
    const sent = file('ek.pem', pem(await ek.certificate(issuer, { serialNumber: '33' })) + pem(issuer.der))
    assert.equal((await run('add', '--hardware', file('root.der', root.der))).code, 0)
    assert.equal((await run('check', sent, ...at)).json()['assurance'], 'Hardware')
    assert.equal((await run('add', file('issuer.pem', pem(issuer.der)))).code, 0)
    const [good, bad] = [await makeList(issuer, { number: 1 }), await makeList(issuer, { number: 2, revoked: ['33'] })]
    assert.equal((await run('add', file('good.crl', good))).code, 0)
    const { revocation } = (await run('check', sent, ...at)).json() as { revocation: { status: string }[] }
    assert.deepEqual(
      revocation.map(({ status }) => status),
      ['good', 'not-covered'],
    )
    const crl = file('bad.crl', writePem({ kind: 'revocation-list', der: bad }))
    assert.equal((await run('add', crl)).code, 0)
    assert.deepEqual(faultOf(await run('check', sent, ...at)), { exit: 1, code: 'CERTIFICATE_REVOKED' })
    assert.deepEqual(faultOf(await run('add', join(dir, 'good.crl'))), { exit: 2, code: 'REVOCATION_LIST_OLDER' })
  })

  it('adds nothing where one of the files holds a private key', async () => {
    const key = file('key.pem', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n')
    assert.deepEqual(faultOf(await run('add', ...swtpmAuthorities, key)), { exit: 2, code: 'TRUST_STORE_PRIVATE_KEY' })
    assert.deepEqual(readdirSync(dir), ['key.pem'])
  })

  it('writes text of at most 80 columns', async () => {
    await run('add', ...swtpmAuthorities)
    const words = ['check', vector('01-ovmf-baseline/ek_cert_rsa.der'), '--store', store, ...at]
    const texts = [await attestry('trust', 'list', '--store', store), await attestry('trust', ...words)]
    for (const { stdout, code } of texts) {
      assert.equal(code, 0)
      assert.ok(
        stdout.split('\n').every((line) => line.length <= 80),
        stdout,
      )
    }
  })
})
