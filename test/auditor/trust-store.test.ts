import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AuditError, type AuditErrorCode } from '../../src/auditor/error.ts'
import { readTrustStore } from '../../src/auditor/trust-store.ts'
import { makeAuthority } from '../evidence/authority.ts'

describe('readTrustStore', () => {
  let dir: string
  let [first, second] = ['', '']

  const pem = (der: Uint8Array, label = 'CERTIFICATE'): string =>
    `-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`
  const refuses = (code: AuditErrorCode, directory = dir): void => {
    assert.throws(
      () => readTrustStore(directory),
      (error) => error instanceof AuditError && error.code === code,
    )
  }

  before(async () => {
    const [one, two] = await Promise.all([makeAuthority('CN=One'), makeAuthority('CN=Two')])
    ;[first, second] = [pem(one.der), pem(two.der)]
  })
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-trust-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('reads every certificate once, and leaves other files alone', async () => {
    await writeFile(join(dir, 'both.pem'), `${first}some words\n${second}`)
    await writeFile(join(dir, 'again.crt'), first)
    await writeFile(join(dir, 'README'), 'not a certificate')
    await mkdir(join(dir, 'more.pem'))
    assert.equal(readTrustStore(dir).length, 2)
  })

  it('refuses a directory that cannot be read', () => refuses('TRUST_STORE_UNREADABLE', join(dir, 'missing')))

  it('refuses a file that is larger than any certificates are', async () => {
    await writeFile(join(dir, 'large.pem'), ' '.repeat(1_048_577))
    refuses('TRUST_STORE_UNREADABLE')
  })

  it('refuses a directory without certificates', () => refuses('TRUST_STORE_EMPTY'))

  it('refuses a file that holds something else as well', async () => {
    await writeFile(join(dir, 'key.pem'), first + pem(new Uint8Array(48), 'PUBLIC KEY'))
    refuses('TRUST_STORE_MALFORMED')
    await writeFile(join(dir, 'key.pem'), first + pem(new Uint8Array(48), 'X509 CRL'))
    refuses('TRUST_STORE_MALFORMED')
  })

  it('refuses a file with a private key in it', async () => {
    for (const label of ['PRIVATE KEY', 'RSA PRIVATE KEY', 'ENCRYPTED PRIVATE KEY']) {
      await writeFile(join(dir, 'key.pem'), first + pem(new Uint8Array(48), label))
      refuses('TRUST_STORE_PRIVATE_KEY')
    }
  })

  it('refuses a file without a certificate', async () => {
    await writeFile(join(dir, 'empty.pem'), '')
    refuses('TRUST_STORE_MALFORMED')
  })

  it('refuses bytes that are no certificate', async () => {
    await writeFile(join(dir, 'noise.pem'), pem(new Uint8Array(300)))
    refuses('TRUST_STORE_MALFORMED')
  })
})
