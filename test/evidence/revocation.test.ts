import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, toHex } from '../../src/core/bytes.ts'
import { verifyEndorsement, type EndorsementClaim } from '../../src/evidence/endorsement.ts'
import { EvidenceError, type EvidenceErrorCode } from '../../src/evidence/error.ts'
import { parseRevocationList } from '../../src/evidence/revocation-list.ts'
import { listIssuer } from '../../src/evidence/revocation.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { AT, makeAuthority, makeEk, makeList, type Authority, type ListParts } from './authority.ts'
import { refuses } from './refusal.ts'

const { keyCertSign } = x509.KeyUsageFlags

describe('checkRevocation, of an EK certificate (class 11)', () => {
  let root: Authority
  let intermediate: Authority
  let ek: Awaited<ReturnType<typeof makeEk>>
  let claim: EndorsementClaim

  before(async () => {
    root = await makeAuthority('CN=Vendor root')
    intermediate = await makeAuthority('CN=Vendor intermediate', { issuer: root, serialNumber: '22' })
    ek = await makeEk()
    const ekCertificate = await ek.certificate(intermediate, { serialNumber: '33' })
    claim = { ekPublic: ek.public, ekCertificate, trustAnchors: [root.der, intermediate.der], at: AT }
  })

  const withLists = (lists: readonly Uint8Array[], changes: Partial<EndorsementClaim> = {}) =>
    verifyEndorsement({ ...claim, revocationLists: lists, ...changes })
  const byIntermediate = async (parts: ListParts) => withLists([await makeList(intermediate, parts)])

  it('says of each certificate which list covers it', async () => {
    const [of, above] = [await makeList(intermediate), await makeList(root)]
    const good = (subject: string, list: Uint8Array) => ({ subject, status: 'good', list: toHex(sha256(list)) })
    const both = [good('CN=An EK', of), good('CN=Vendor intermediate', above)]
    assert.deepEqual((await withLists([above, of])).revocation, both)
    const one = [both[0], { subject: 'CN=Vendor intermediate', status: 'not-covered', list: undefined }]
    assert.deepEqual((await withLists([of])).revocation, one)
  })

  it('refuses a path that no list covers where one is required', async () => {
    const required = { revocation: { required: true } }
    const [of, above] = [await makeList(intermediate), await makeList(root)]
    assert.equal((await withLists([of, above], required)).revocation.length, 2)
    for (const lists of [[], [of], [above]]) await refuses('CRL_MISSING', withLists(lists, required))
  })

  it('refuses a revoked EK certificate, and a revoked authority above it', async () => {
    await refuses('CERTIFICATE_REVOKED', byIntermediate({ revoked: ['44', '33'] }))
    assert.equal((await byIntermediate({ revoked: ['44', '22'] })).revocation[0]?.status, 'good')
    await refuses('CERTIFICATE_REVOKED', withLists([await makeList(root, { revoked: ['22'] })]))
    const reason = x509.X509CrlReason.certificateHold
    await refuses('CERTIFICATE_REVOKED', byIntermediate({ revoked: ['33'], reason }))
  })

  describe('of the past', () => {
    const MAY = new Date('2027-05-01T00:00:00Z')
    const JUNE = new Date('2027-06-01T00:00:00Z')
    const JULY = new Date('2027-07-01T00:00:00Z')
    const AUGUST = new Date('2027-08-01T00:00:00Z')
    const { keyCompromise, cACompromise, superseded } = x509.X509CrlReason
    /** Judged for a time, by a list of July that revokes the EK's certificate from June on. */
    const inJuly = async (at: Date, parts: ListParts = {}, issuer = intermediate) =>
      withLists(
        [await makeList(issuer, { thisUpdate: JULY, nextUpdate: AUGUST, revoked: ['33'], revokedOn: JUNE, ...parts })],
        { at, revocation: { currentAt: JULY } },
      )
    const later = { subject: 'CN=An EK', status: 'revoked-later', revokedFrom: JUNE.toISOString() }

    it('lets stand what was vouched for before a revocation, and says from when it is revoked', async () => {
      for (const reason of [undefined, superseded]) {
        const [of] = (await inJuly(MAY, reason === undefined ? {} : { reason })).revocation
        assert.deepEqual({ ...of, list: undefined }, { ...later, list: undefined })
      }
      assert.equal((await inJuly(new Date(JUNE.valueOf() - 1000))).revocation[0]?.status, 'revoked-later')
      for (const at of [JUNE, JULY]) await refuses('CERTIFICATE_REVOKED', inJuly(at))
    })

    it('lets nothing stand that a compromised key, or authority, vouched for', async () => {
      await refuses('CERTIFICATE_REVOKED', inJuly(MAY, { reason: keyCompromise }))
      await refuses('CERTIFICATE_REVOKED', inJuly(MAY, { reason: cACompromise, revoked: ['22'] }, root))
      assert.equal((await inJuly(MAY, { revoked: ['22'] }, root)).revocation[1]?.status, 'revoked-later')
    })

    it('counts an entry from when the key was in doubt, and from its list’s own time at the latest', async () => {
      const doubt = { entryExtensions: [invalidityDate('20270415000000Z')] }
      await refuses('CERTIFICATE_REVOKED', inJuly(MAY, doubt))
      await refuses('CERTIFICATE_REVOKED', inJuly(JULY, { revokedOn: AUGUST }))
    })

    it('wants a list of today, not one of then', async () => {
      await refuses('CRL_NOT_CURRENT', inJuly(MAY, { nextUpdate: JUNE, thisUpdate: MAY, revoked: [] }))
      await refuses('CRL_NOT_CURRENT', inJuly(MAY, { thisUpdate: AUGUST, revoked: [] }))
      assert.equal((await inJuly(MAY, { revoked: [] })).revocation[0]?.status, 'good')
    })

    it('says that nothing is known of what had expired when the list was made', async () => {
      const ekCertificate = await ek.certificate(intermediate, { serialNumber: '33', notAfter: JUNE })
      const judge = async (parts: ListParts, required = false) =>
        withLists([await makeList(intermediate, { thisUpdate: JULY, nextUpdate: AUGUST, ...parts })], {
          ...{ at: MAY, ekCertificate, revocation: { currentAt: JULY, required } },
        })
      assert.equal((await judge({})).revocation[0]?.status, 'not-covered')
      await refuses('CRL_MISSING', judge({}, true))
      await refuses('CERTIFICATE_REVOKED', judge({ revoked: ['33'], reason: keyCompromise }))
    })

    it('takes the last list of an issuer that has expired for its last word, and for no more', async () => {
      const issuer = await makeAuthority('CN=Gone', { issuer: root, notAfter: JUNE })
      const changes = {
        ...{ ekCertificate: await ek.certificate(issuer, { serialNumber: '33' }), at: MAY },
        ...{ trustAnchors: [root.der, issuer.der], revocation: { currentAt: JULY } },
      }
      const last = { thisUpdate: MAY, nextUpdate: JUNE }
      assert.equal((await withLists([await makeList(issuer, last)], changes)).revocation[0]?.status, 'not-covered')
      const revoking = await makeList(issuer, { ...last, revoked: ['33'], reason: keyCompromise })
      await refuses('CERTIFICATE_REVOKED', withLists([revoking], changes))
    })
  })

  it('refuses a list that its issuer did not sign, and does not go on to an older one', async () => {
    const impostor = await makeAuthority('CN=Vendor intermediate')
    const forged = await makeList(impostor, { number: 9 })
    const real = await makeList(intermediate, { number: 8 })
    await refuses('CRL_SIGNATURE', withLists([forged]))
    await refuses('CRL_SIGNATURE', withLists([real, forged]))
  })

  it('leaves a list alone that names the key of another authority of the same name', async () => {
    const twin = await makeAuthority('CN=Vendor intermediate')
    const key = (id: string) => [new x509.AuthorityKeyIdentifierExtension(id.repeat(20))]
    const subjectKey = [new x509.SubjectKeyIdentifierExtension('11'.repeat(20))]
    const issuer = await makeAuthority('CN=Vendor intermediate', { issuer: root, extensions: subjectKey })
    const changes = { ekCertificate: await ek.certificate(issuer, {}), trustAnchors: [root.der, issuer.der] }
    const status = async (list: Uint8Array) => (await withLists([list], changes)).revocation[0]?.status
    assert.equal(await status(await makeList(twin, { extensions: key('22') })), 'not-covered')
    assert.equal(await status(await makeList(issuer, { extensions: key('11') })), 'good')
    await refuses('CRL_SIGNATURE', withLists([await makeList(twin, { extensions: key('11') })], changes))
  })

  it('refuses a list whose issuer may not sign lists', async () => {
    const issuer = await makeAuthority('CN=No lists', { issuer: root, keyUsage: keyCertSign })
    const changes = { ekCertificate: await ek.certificate(issuer, {}), trustAnchors: [root.der, issuer.der] }
    await refuses('CRL_AUTHORITY', withLists([await makeList(issuer)], changes))
  })

  it('refuses a list signed with SHA-1', async () => {
    const sha1 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' }
    const keys = await crypto.subtle.generateKey(
      { ...sha1, modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) },
      true,
      ['sign', 'verify'],
    )
    await refuses(
      'CRL_ALGORITHM',
      withLists([await makeList({ name: intermediate.name, keys }, { signingAlgorithm: sha1 })]),
    )
  })

  it('refuses a list that is not of the time in question', async () => {
    await refuses('CRL_NOT_CURRENT', byIntermediate({ nextUpdate: new Date('2026-12-31T23:59:59Z') }))
    await assert.rejects(
      byIntermediate({ nextUpdate: new Date('2026-12-31T23:59:59Z') }),
      /not at 2027-01-01T00:00:00\.000Z$/,
    )
    await refuses('CRL_NOT_CURRENT', byIntermediate({ thisUpdate: new Date('2027-01-01T00:00:01Z') }))
    assert.equal((await byIntermediate({ thisUpdate: AT, nextUpdate: AT })).revocation[0]?.status, 'good')
  })

  it('refuses a list that is older than one that was seen before', async () => {
    const list = await makeList(intermediate, { number: 7 })
    const seen = (number: bigint) => ({
      revocation: { leastNumbers: new Map([[listIssuer(parseRevocationList(list)), number]]) },
    })
    assert.equal((await withLists([list], seen(7n))).revocation[0]?.status, 'good')
    await refuses('CRL_OLDER', withLists([list], seen(8n)))
  })

  it('goes by the newest of several lists', async () => {
    const revoking = await makeList(intermediate, { number: 7, revoked: ['33'] })
    const clean = await makeList(intermediate, { number: 7 })
    for (const equal of [
      [clean, revoking],
      [revoking, clean],
    ])
      await refuses('CERTIFICATE_REVOKED', withLists(equal))
    const lists = [await makeList(intermediate, { number: 6 }), revoking, await makeList(intermediate, { number: 5 })]
    await refuses('CERTIFICATE_REVOKED', withLists(lists))
    assert.equal(
      (await withLists([...lists, await makeList(intermediate, { number: 8 })])).revocation[0]?.status,
      'good',
    )
  })
})

/** @param text GeneralizedTime */
function invalidityDate(text: string): x509.Extension {
  const time = Buffer.from(text, 'latin1')
  return new x509.Extension('2.5.29.24', false, concat(Uint8Array.of(0x18, time.length), time))
}

describe('parseRevocationList', () => {
  let issuer: Authority
  let list: Uint8Array
  before(async () => {
    issuer = await makeAuthority('CN=Vendor')
    list = await makeList(issuer, { number: 5, revoked: ['33', '0444'] })
  })

  const malformed = (code: EvidenceErrorCode, der: Uint8Array) =>
    assert.throws(
      () => parseRevocationList(der),
      (error) => error instanceof EvidenceError && error.code === code,
    )
  const critical = (type: string) => new x509.Extension(type, true, Uint8Array.of(2, 1, 1))

  it('reads issuer, number, times and serial numbers', () => {
    const { issuer: name, number, thisUpdate, nextUpdate, revoked, strong } = parseRevocationList(list)
    assert.deepEqual([name, number, strong], ['CN=Vendor', 5n, true])
    assert.deepEqual(
      [thisUpdate, nextUpdate].map((time) => time.toISOString().slice(0, 10)),
      ['2026-12-01', '2027-02-01'],
    )
    const entry = { fromMs: Date.UTC(2026, 11), always: false }
    assert.deepEqual(
      [...revoked],
      [
        ['0x33', entry],
        ['0x0444', entry],
      ],
    )
  })

  it('reads from when an entry counts, and which reasons say that a key was compromised', async () => {
    const { keyCompromise, cACompromise, aACompromise, unspecified, superseded } = x509.X509CrlReason
    const entryOf = async (parts: ListParts) =>
      parseRevocationList(await makeList(issuer, { revoked: ['33'], ...parts })).revoked.get('0x33')
    for (const reason of [keyCompromise, cACompromise, aACompromise]) {
      assert.deepEqual(await entryOf({ reason }), { fromMs: Date.UTC(2026, 11), always: true })
    }
    for (const reason of [unspecified, superseded]) assert.equal((await entryOf({ reason }))?.always, false)
    const invalidity = (date: string) => ({ entryExtensions: [invalidityDate(date)] })
    assert.equal((await entryOf(invalidity('20260101000000Z')))?.fromMs, Date.UTC(2026, 0))
    assert.equal((await entryOf(invalidity('20270101000000Z')))?.fromMs, Date.UTC(2026, 11))
    malformed('CRL_MALFORMED', await makeList(issuer, { revoked: ['33'], ...invalidity('2026') }))
  })

  it('refuses an entry whose reason is none that there is', async () => {
    for (const der of [
      Uint8Array.of(10, 1, 7),
      Uint8Array.of(10, 1, 11),
      Uint8Array.of(10, 2, 0, 1),
      Uint8Array.of(10, 0),
    ]) {
      const entryExtensions = [new x509.Extension('2.5.29.21', false, der)]
      malformed('CRL_MALFORMED', await makeList(issuer, { revoked: ['33'], entryExtensions }))
    }
  })

  it('takes the stricter of two entries for one number, in whatever order they stand', async () => {
    const reason = new x509.Extension('2.5.29.21', false, Uint8Array.of(10, 1, 4))
    const text = (await makeList(issuer, { revoked: ['34', '35'], entryExtensions: [reason] })).reduce(
      (all, byte) => all + String.fromCharCode(byte),
      '',
    )
    const doubled = text.replace('\x02\x01\x34', '\x02\x01\x33').replace('\x02\x01\x35', '\x02\x01\x33')
    const first = doubled.indexOf('\x02\x01\x33')
    const second = doubled.indexOf('\x02\x01\x33', first + 1)
    for (const at of [first, second]) {
      const compromised = doubled.slice(0, at) + doubled.slice(at).replace('\n\x01\x04', '\n\x01\x01')
      const dated = doubled.slice(0, at) + doubled.slice(at).replace('261201', '260101')
      const entries = [compromised, dated].map((list) => [
        ...parseRevocationList(Uint8Array.from(list, (character) => character.charCodeAt(0))).revoked,
      ])
      assert.deepEqual(entries, [
        [['0x33', { fromMs: Date.UTC(2026, 11), always: true }]],
        [['0x33', { fromMs: Date.UTC(2026, 0), always: false }]],
      ])
    }
  })

  it('refuses delta lists, partial ones, and any other critical extension', async () => {
    for (const type of ['2.5.29.27', '2.5.29.28', '1.2.3']) {
      malformed('CRL_EXTENSION', await makeList(issuer, { extensions: [critical(type)] }))
    }
  })

  it('refuses an entry with a critical extension, and one that takes another back', async () => {
    const entry = { revoked: ['33'], entryExtensions: [critical('2.5.29.29')] }
    malformed('CRL_EXTENSION', await makeList(issuer, entry))
    const back = new x509.Extension('2.5.29.21', false, Uint8Array.of(10, 1, 8))
    malformed('CRL_EXTENSION', await makeList(issuer, { revoked: ['33'], entryExtensions: [back] }))
  })

  it('refuses a list without a number, or without a time for the next one', async () => {
    malformed('CRL_MALFORMED', await makeList(issuer, { number: -1 }))
    malformed('CRL_MALFORMED', await makeList(issuer, { nextUpdate: undefined }))
  })

  it('refuses every prefix, trailing bytes, a certificate, and noise', () => {
    for (let length = 0; length < list.length; length++) malformed('CRL_MALFORMED', list.subarray(0, length))
    malformed('CRL_MALFORMED', concat(list, Uint8Array.of(0)))
    malformed('CRL_MALFORMED', issuer.der)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        malformed('CRL_MALFORMED', concat(Uint8Array.of(0x30, 0x81, body.length), body))
      }),
    )
  })

  it('is believed with no bit changed', async () => {
    const spki = new Uint8Array(new x509.X509Certificate(issuer.der).publicKey.rawData)
    const believed = async (der: Uint8Array): Promise<boolean> => {
      try {
        return await parseRevocationList(der).isSignedBy(spki)
      } catch (error) {
        assert.ok(error instanceof EvidenceError)
        return false
      }
    }
    assert.equal(await believed(list), true)
    for (let bit = 0; bit < 8 * list.length; bit++) {
      const changed = list.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      assert.equal(await believed(changed), false, `bit ${bit}`)
    }
  })
})
