import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addToTrustStore, type Added } from '../../src/auditor/add-to-trust-store.ts'
import type { AuditErrorCode } from '../../src/auditor/error.ts'
import { writePem, type PemBlock } from '../../src/auditor/pem.ts'
import { readRevocationStore } from '../../src/auditor/revocation-store.ts'
import { readTrustStore } from '../../src/auditor/trust-store.ts'
import { AT, makeAuthority, makeEk, makeList, type Authority } from '../evidence/authority.ts'

describe('addToTrustStore', () => {
  let dir: string
  let root: Authority
  let intermediate: Authority

  before(async () => {
    root = await makeAuthority('CN=Vendor root')
    intermediate = await makeAuthority('CN=Vendor intermediate', { issuer: root })
  })
  beforeEach(async () => {
    dir = join(await mkdtemp(join(tmpdir(), 'attestry-add-')), 'store')
  })
  afterEach(() => rm(join(dir, '..'), { recursive: true }))

  const certificate = (der: Uint8Array): PemBlock => ({ kind: 'certificate', der })
  const list = (der: Uint8Array): PemBlock => ({ kind: 'revocation-list', der })
  const add = (block: PemBlock, hardware = false, at = AT): Promise<Added> =>
    addToTrustStore(dir, block, { hardware, at })
  const refuses = (code: AuditErrorCode, work: Promise<unknown>) => assert.rejects(work, { name: 'AuditError', code })

  it('makes a store that the auditor reads', async () => {
    const added = [await add(certificate(root.der)), await add(certificate(intermediate.der))]
    assert.deepEqual(
      added.map(({ kind, name, warnings }) => [kind, name, ...warnings]),
      [
        ['root', 'CN=Vendor root'],
        ['intermediate', 'CN=Vendor intermediate'],
      ],
    )
    const stored = readTrustStore(dir).map((der) => Buffer.from(der).toString('hex'))
    assert.deepEqual(new Set(stored), new Set([root, intermediate].map(({ der }) => Buffer.from(der).toString('hex'))))
    assert.deepEqual(
      (await readdir(dir)).filter((name) => !name.endsWith('.pem')),
      [],
    )
  })

  it('marks roots as hardware’s, and no intermediate', async () => {
    await add(certificate(root.der), true)
    assert.equal(readTrustStore(join(dir, 'hardware')).length, 1)
    await refuses('TRUST_STORE_NOT_ROOT', add(certificate(intermediate.der), true))
  })

  it('refuses what is no authority, and a root that did not sign itself', async () => {
    const ek = await makeEk()
    await refuses('TRUST_STORE_NOT_AUTHORITY', add(certificate(await ek.certificate(root, {}))))
    const other = await makeAuthority('CN=Vendor root')
    const forged = await makeAuthority('CN=Vendor root', { issuer: other, keys: root.keys })
    await refuses('TRUST_STORE_NOT_AUTHORITY', add(certificate(forged.der)))
    await refuses('TRUST_STORE_MALFORMED', add(certificate(new Uint8Array(300))))
  })

  it('leaves what is there already, and says so', async () => {
    assert.equal((await add(certificate(root.der))).change, 'added')
    assert.equal((await add(certificate(root.der))).change, 'none')
    assert.equal((await add(list(await makeList(root)))).change, 'added')
    const [{ der } = { der: new Uint8Array() }] = readRevocationStore(dir).lists
    assert.equal((await add(list(der))).change, 'none')
    assert.equal(readTrustStore(dir).length, 1)
  })

  it('marks a root as hardware that was there without', async () => {
    await add(certificate(root.der))
    const hardware = { hardware: true, at: new Date() }
    assert.equal((await addToTrustStore(dir, certificate(root.der), hardware)).change, 'marked')
    assert.equal((await addToTrustStore(dir, certificate(root.der), hardware)).change, 'none')
    assert.equal(readTrustStore(join(dir, 'hardware')).length, 1)
  })

  it('warns of an authority that has expired', async () => {
    const { warnings } = await add(certificate(root.der), false, new Date('2029-01-01'))
    assert.match(warnings.join(), /expired on 2028-01-01/)
  })

  it('refuses a revocation list that no authority of the store signed', async () => {
    await add(certificate(root.der))
    const impostor = await makeAuthority('CN=Vendor root')
    await refuses('REVOCATION_LIST_UNKNOWN', add(list(await makeList(impostor, { number: 99 }))))
    await refuses('REVOCATION_LIST_UNKNOWN', add(list(await makeList(intermediate))))
    await refuses('TRUST_STORE_MALFORMED', add(list(root.der)))
  })

  it('replaces a list by a newer one, and refuses an older one for ever', async () => {
    await add(certificate(root.der))
    await add(list(await makeList(root, { number: 5 })))
    await add(list(await makeList(root, { number: 7 })))
    assert.deepEqual(
      readRevocationStore(dir).lists.map((one) => one.list.number),
      [7n],
    )
    await refuses('REVOCATION_LIST_OLDER', add(list(await makeList(root, { number: 6 }))))
    await refuses('REVOCATION_LIST_OLDER', add(list(await makeList(root, { number: 7, revoked: ['01'] }))))
  })

  it('notices an older list that was put in the place of a newer one, and one that was taken away', async () => {
    await add(certificate(root.der))
    const { file } = await add(list(await makeList(root, { number: 7 })))
    await writeFile(join(dir, file), writePem(list(await makeList(root, { number: 6 }))))
    assert.throws(() => readRevocationStore(dir), { code: 'REVOCATION_LIST_OLDER' })
    await rm(join(dir, file))
    assert.throws(() => readRevocationStore(dir), { code: 'REVOCATION_LIST_OLDER' })
  })

  it('writes PEM that is as long a line as RFC 7468 wants', async () => {
    const { file } = await add(certificate(root.der))
    const lines = (await readFile(join(dir, file), 'utf8')).split('\n')
    assert.ok(lines.every((line) => line.length <= 64))
  })

  it('says that it cannot write', async () => {
    await writeFile(join(dir, '..', 'file'), '')
    const work = addToTrustStore(join(dir, '..', 'file'), certificate(root.der), { hardware: false, at: AT })
    await refuses('TRUST_STORE_UNWRITABLE', work)
  })
})

describe('readRevocationStore', () => {
  let dir: string
  beforeEach(async () => (dir = await mkdtemp(join(tmpdir(), 'attestry-lists-'))))
  afterEach(() => rm(dir, { recursive: true }))

  it('refuses what is no list, two in one file, and numbers that are none', async () => {
    const root = await makeAuthority('CN=Vendor root')
    const pem = writePem({ kind: 'revocation-list', der: await makeList(root) })
    const wrong = [
      writePem({ kind: 'certificate', der: root.der }),
      pem + pem,
      'words',
      pem.replace(/\n\w{8}/, '\nAAAAAAAA'),
    ]
    for (const text of wrong) {
      await writeFile(join(dir, 'one.crl'), text)
      assert.throws(() => readRevocationStore(dir), { code: 'TRUST_STORE_MALFORMED' })
    }
    await writeFile(join(dir, 'one.crl'), pem)
    assert.equal(readRevocationStore(dir).lists.length, 1)
    for (const text of ['{', '{"a": 1}', '{"a": "-1"}', 'null']) {
      await writeFile(join(dir, 'revocation-lists-seen.json'), text)
      assert.throws(() => readRevocationStore(dir), { code: 'TRUST_STORE_MALFORMED' })
    }
  })

  it('refuses a directory that is not there', () => {
    assert.throws(() => readRevocationStore(join(dir, 'missing')), { code: 'TRUST_STORE_UNREADABLE' })
  })
})
