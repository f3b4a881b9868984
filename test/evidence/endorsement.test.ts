import 'reflect-metadata'
import * as x509 from '@peculiar/x509'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, toHex, type Hex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import { verifyEndorsement, type Endorsement, type EndorsementClaim } from '../../src/evidence/endorsement.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { ENDORSEMENT_TEMPLATES } from '../../src/tcg/endorsement-template.ts'
import { nameOf } from '../../src/tcg/name.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { CAPTURES, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { refuses } from './refusal.ts'
import { AT, makeAuthority, makeEk, type Authority, type CertificateParts } from './authority.ts'

/** The DER in a PEM file of test/vectors/tpm. */
const pem = (name: string) => new Uint8Array(new x509.X509Certificate(tpmVectorText(name)).rawData)
const authorities = (directory: string) =>
  ['issuercert.pem', 'swtpm-localca-rootca-cert.pem'].map((file) => pem(`${directory}/${file}`))
const codes = ({ findings }: Endorsement) => findings.map(({ code }) => code)
const allHardware = (anchors: readonly Uint8Array[]) => new Set<Hex>(anchors.map((der) => toHex(sha256(der))))

const captured: EndorsementClaim = {
  ekPublic: tpmtPublic('01-ovmf-baseline/ek.pub'),
  ekCertificate: tpmVector('01-ovmf-baseline/ek_cert_rsa.der'),
  trustAnchors: authorities('ca'),
  at: new Date('2026-12-01T00:00:00Z'),
}

describe('verifyEndorsement, of real software TPMs', () => {
  for (const capture of CAPTURES) {
    it(`verifies the EK of ${capture}`, async () => {
      const ekPublic = tpmtPublic(`${capture}/ek.pub`)
      const endorsement = await verifyEndorsement({
        ...captured,
        ekPublic,
        ekCertificate: tpmVector(`${capture}/ek_cert_rsa.der`),
      })
      assert.deepEqual(endorsement, {
        hostId: toHex(nameOf(ekPublic).slice(2)),
        assurance: 'Software',
        subject: 'CN=unknown',
        root: 'CN=swtpm-localca-rootca',
        rootFingerprint: toHex(sha256(pem('ca/swtpm-localca-rootca-cert.pem'))),
        template: 'L-1',
        tpm: {
          ...{ vendorId: '00001014', vendor: 'IBM (software TPM)', model: 'swtpm' },
          firmware: { major: 0x2019, minor: 0x1023 },
        },
        revocation: ['CN=unknown', 'CN=swtpm-localca'].map((subject) => ({
          ...{ subject, status: 'not-covered', list: undefined },
        })),
        findings: [],
      })
    })
  }

  it('verifies an EK on P-384', async () => {
    const { assurance } = await verifyEndorsement({
      ekPublic: tpmtPublic('swtpm-primary-ak/ek_p384.pub'),
      ekCertificate: tpmVector('swtpm-primary-ak/ek_cert_ecc_p384.der'),
      trustAnchors: authorities('swtpm-primary-ak'),
      at: captured.at,
    })
    assert.equal(assurance, 'Software')
  })

  it('never takes an emulator for hardware, whatever the caller says of its root', async () => {
    const hardwareRoots = allHardware(captured.trustAnchors)
    assert.equal((await verifyEndorsement({ ...captured, hardwareRoots })).assurance, 'Software')
  })

  it('refuses an EK whose root or intermediate is not trusted', async () => {
    const [intermediate, root] = captured.trustAnchors
    assert.ok(intermediate && root)
    for (const trustAnchors of [[], [intermediate], [root], authorities('swtpm-primary-ak')]) {
      const code = trustAnchors.length === 2 ? 'CHAIN_SIGNATURE' : 'CHAIN_INCOMPLETE'
      await refuses(code, verifyEndorsement({ ...captured, trustAnchors }))
    }
  })

  it('does not take the certificate itself for an anchor', async () => {
    const trustAnchors = [captured.ekCertificate]
    await refuses('CHAIN_INCOMPLETE', verifyEndorsement({ ...captured, trustAnchors }))
  })

  it('refuses a time outside the validity, and no time at all', async () => {
    for (const at of [new Date('2026-11-22T08:45:12Z'), new Date(Number.NaN)]) {
      await refuses('CHAIN_EXPIRED', verifyEndorsement({ ...captured, at }))
    }
  })

  it('refuses the EK of another TPM', async () => {
    const ekPublic = tpmtPublic('swtpm-primary-ak/ek_rsa.pub')
    await refuses('CERTIFICATE_OTHER_KEY', verifyEndorsement({ ...captured, ekPublic }))
  })

  it('refuses another public area around the certified key', async () => {
    const noDa = captured.ekPublic.map((byte, i) => (i === 6 ? byte | 0x04 : byte))
    await refuses('EK_UNSUITABLE', verifyEndorsement({ ...captured, ekPublic: noDa }))
    await refuses('EK_UNSUITABLE', verifyEndorsement({ ...captured, ekPublic: captured.ekPublic.subarray(1) }))
  })

  it('refuses a certificate with any byte changed', async function () {
    this.timeout(60_000)
    const { ekCertificate } = captured
    for (let at = 0; at < ekCertificate.length; at++) {
      const changed = ekCertificate.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte))
      await assert.rejects(verifyEndorsement({ ...captured, ekCertificate: changed }), EvidenceError, `byte ${at}`)
    }
  })

  it('refuses what is no certificate, is cut short, or has more behind it', async () => {
    const { ekCertificate } = captured
    const wrong = [
      new Uint8Array(),
      ekCertificate.subarray(0, -1),
      concat(ekCertificate, Uint8Array.of(0)),
      new TextEncoder().encode(tpmVectorText('ca/issuercert.pem')),
      Uint8Array.of(0x30, 0x82, 0, 1, 0),
      concat(Uint8Array.of(0x30, 0x82, 0xff, 0xff), new Uint8Array(0xffff)),
    ]
    for (const bad of wrong) {
      await refuses('CERTIFICATE_MALFORMED', verifyEndorsement({ ...captured, ekCertificate: bad }))
      await refuses('TRUST_ANCHOR_MALFORMED', verifyEndorsement({ ...captured, trustAnchors: [bad] }))
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), async (body) => {
        const der = concat(Uint8Array.of(0x30, 0x82, body.length >> 8, body.length & 0xff), body)
        await refuses('CERTIFICATE_MALFORMED', verifyEndorsement({ ...captured, ekCertificate: der }))
      }),
    )
  })
})

describe('verifyEndorsement, of certificates made here', () => {
  let root: Authority
  let intermediate: Authority
  let ek: Awaited<ReturnType<typeof makeEk>>

  before(async () => {
    root = await makeAuthority('CN=Vendor root')
    intermediate = await makeAuthority('CN=Vendor intermediate', { issuer: root })
    ek = await makeEk()
  })

  const verify = async (parts: CertificateParts, issuer: Authority, trustAnchors: readonly Uint8Array[], at = AT) =>
    verifyEndorsement({
      ekPublic: ek.public,
      ekCertificate: await ek.certificate(issuer, parts),
      trustAnchors,
      at,
      hardwareRoots: allHardware([root.der]),
    })
  const withGood = (parts: CertificateParts) => verify(parts, intermediate, [root.der, intermediate.der])

  it('finds hardware where the root is a vendor’s', async () => {
    const { assurance, root: name } = await withGood({})
    assert.deepEqual([assurance, name], ['Hardware', 'CN=Vendor root'])
    assert.equal((await verify({}, root, [root.der])).assurance, 'Hardware')
  })

  it('finds software where the root is not named, the manufacturer missing, or an emulator’s', async () => {
    const other = await makeAuthority('CN=Another root')
    assert.equal((await verify({}, other, [other.der, root.der])).assurance, 'Software')
    for (const tpm of [
      {},
      { manufacturer: 'id:00001014' },
      { manufacturer: 'id:49465800', model: 'SwTPM 2' },
      { model: 'x' },
    ]) {
      assert.equal((await withGood({ tpm })).assurance, 'Software')
    }
  })

  it('finds the way past an issuer of the same name with another key', async () => {
    const twin = await makeAuthority('CN=Vendor intermediate', { issuer: root })
    const anchors = [twin.der, root.der, intermediate.der]
    assert.equal((await verify({}, intermediate, anchors)).assurance, 'Hardware')
  })

  it('ends on issuers that issued each other', async () => {
    const one = await makeAuthority('CN=One')
    const two = await makeAuthority('CN=Two', { issuer: one })
    const back = await makeAuthority('CN=One', { issuer: two, keys: one.keys })
    await refuses('CHAIN_INCOMPLETE', verify({}, two, [two.der, back.der]))
  })

  it('refuses an EK certificate that may not be one', async () => {
    const wrong: readonly CertificateParts[] = [
      { authority: { pathLength: undefined } },
      { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] },
      { keyUsage: x509.KeyUsageFlags.digitalSignature },
      { keyUsage: undefined },
    ]
    for (const parts of wrong) await refuses('CERTIFICATE_USAGE', withGood(parts))
    assert.equal((await withGood({ extendedKeyUsage: undefined })).assurance, 'Hardware')
  })

  it('refuses a certificate that is expired or not yet valid, anywhere in the path', async () => {
    const [before, after] = [new Date('2026-01-01'), new Date('2029-01-01')]
    await refuses('CHAIN_EXPIRED', withGood({ notAfter: before }))
    await assert.rejects(withGood({ notAfter: before }), /, not at \d{4}-\d{2}-\d{2}T[\d:.]+Z$/)
    await refuses('CHAIN_EXPIRED', withGood({ notBefore: after }))
    const expired = await makeAuthority('CN=Expired', { issuer: root, notAfter: before })
    await refuses('CHAIN_EXPIRED', verify({}, expired, [root.der, expired.der]))
    const young = await makeAuthority('CN=Young root', { notBefore: after })
    await refuses('CHAIN_EXPIRED', verify({}, young, [young.der]))
  })

  it('refuses an issuer that is no authority or may not sign certificates', async () => {
    const wrong: readonly CertificateParts[] = [
      { authority: undefined },
      { keyUsage: x509.KeyUsageFlags.digitalSignature },
      { keyUsage: undefined },
    ]
    for (const parts of wrong) {
      const issuer = await makeAuthority('CN=No authority', { issuer: root, ...parts })
      await refuses('CHAIN_AUTHORITY', verify({}, issuer, [root.der, issuer.der]))
    }
  })

  it('refuses a path longer than an authority allows', async () => {
    const short = await makeAuthority('CN=Short root', { authority: { pathLength: 0 } })
    assert.equal((await verify({}, short, [short.der])).root, 'CN=Short root')
    const below = await makeAuthority('CN=Below', { issuer: short })
    await refuses('CHAIN_AUTHORITY', verify({}, below, [short.der, below.der]))
  })

  it('refuses a path without an end in sight', async () => {
    const chain = [root]
    for (let i = 0; i < 7; i++) {
      chain.push(await makeAuthority(`CN=Level ${i}`, { issuer: chain[i] ?? root }))
    }
    const anchors = chain.map(({ der }) => der)
    assert.equal((await verify({}, chain[6] ?? root, anchors)).root, 'CN=Vendor root')
    await refuses('CHAIN_INCOMPLETE', verify({}, chain[7] ?? root, anchors))
  })

  it('refuses a signature by another key', async () => {
    const impostor = await makeAuthority('CN=Vendor root')
    await refuses('CHAIN_SIGNATURE', verify({}, impostor, [root.der]))
  })

  it('refuses weak algorithms', async () => {
    const sha1 = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1' }
    const weakHash = await makeAuthority('CN=SHA-1', { algorithm: { ...sha1, modulusLength: 2048 } })
    await refuses('CHAIN_ALGORITHM', verify({ signingAlgorithm: sha1 }, weakHash, [weakHash.der]))
    const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 1024 }
    const weakKey = await makeAuthority('CN=RSA-1024', { algorithm: rsa })
    await refuses('CHAIN_ALGORITHM', verify({}, weakKey, [weakKey.der]))
  })

  it('takes RSA-PSS with SHA-2', async () => {
    const pss = { name: 'RSA-PSS', hash: 'SHA-256', saltLength: 32 }
    const issuer = await makeAuthority('CN=PSS root', { algorithm: { ...pss, modulusLength: 2048 } })
    assert.equal((await verify({ signingAlgorithm: pss }, issuer, [issuer.der])).root, 'CN=PSS root')
    const sha1 = { ...pss, hash: 'SHA-1', saltLength: 20 }
    const weak = await makeAuthority('CN=PSS SHA-1', { algorithm: { ...sha1, modulusLength: 2048 } })
    await refuses('CHAIN_ALGORITHM', verify({ signingAlgorithm: sha1 }, weak, [weak.der]))
  })

  it('takes P-384 and P-521 with SHA-2', async () => {
    for (const [namedCurve, hash] of [
      ['P-384', 'SHA-384'],
      ['P-521', 'SHA-512'],
    ] as const) {
      const algorithm = { name: 'ECDSA', namedCurve, hash }
      const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
      const issuer = await makeAuthority('CN=Curve', { keys, signingAlgorithm: algorithm })
      assert.equal((await verify({ signingAlgorithm: algorithm }, issuer, [issuer.der])).root, 'CN=Curve')
    }
  })

  it('believes an intermediate that came with the certificate by its own path to a root, and by nothing else', async () => {
    const claim = { ekPublic: ek.public, ekCertificate: await ek.certificate(intermediate, {}), at: AT }
    const verified = await verifyEndorsement({ ...claim, trustAnchors: [root.der], intermediates: [intermediate.der] })
    assert.equal(verified.root, 'CN=Vendor root')
    const sent = { ...claim, intermediates: [intermediate.der, root.der] }
    const other = await makeAuthority('CN=Another root')
    await refuses('CHAIN_INCOMPLETE', verifyEndorsement({ ...sent, trustAnchors: [other.der] }))
    await refuses(
      'CERTIFICATE_MALFORMED',
      verifyEndorsement({ ...claim, trustAnchors: [root.der], intermediates: [new Uint8Array(9)] }),
    )
  })

  it('gives a search up that certificates of equal names would make endless', async () => {
    const claim = { ekPublic: ek.public, ekCertificate: await ek.certificate(intermediate, {}), at: AT }
    const many = Array.from({ length: 17 }, () => intermediate.der)
    await refuses('CHAIN_SEARCH', verifyEndorsement({ ...claim, trustAnchors: [root.der], intermediates: many }))
    // Sixteen that issued each other, all of one name and one key: their paths are 16 · 15 · 14 · …
    const { keys } = intermediate
    const loop = await Promise.all(
      Array.from({ length: 16 }, () => makeAuthority(intermediate.name, { issuer: intermediate, keys })),
    )
    const intermediates = loop.map(({ der }) => der)
    await refuses('CHAIN_SEARCH', verifyEndorsement({ ...claim, trustAnchors: [root.der], intermediates }))
  })

  it('refuses an issuer whose key is another than the certificate names', async () => {
    const names = (id: string) => [new x509.AuthorityKeyIdentifierExtension(id)]
    const id = '11'.repeat(20)
    const issuer = await makeAuthority('CN=Named', { extensions: [new x509.SubjectKeyIdentifierExtension(id)] })
    assert.equal((await verify({ extensions: names(id) }, issuer, [issuer.der])).root, 'CN=Named')
    await refuses('CHAIN_KEY_ID', verify({ extensions: names('22'.repeat(20)) }, issuer, [issuer.der]))
    const bySerial = new x509.Extension('2.5.29.35', false, Uint8Array.of(0x30, 3, 0x82, 1, 0x7f))
    await refuses('CHAIN_KEY_ID', verify({ extensions: [bySerial] }, issuer, [issuer.der]))
  })

  it('takes the high range’s template of a P-256 key only where it is asked for', async () => {
    const { attributes, authPolicy } = ENDORSEMENT_TEMPLATES['H-2']
    const ekPublic = Uint8Array.from(ek.public)
    ekPublic.set(new Writer().u32(attributes).sized16(authPolicy).finish(), 4)
    const claim = { ekPublic, ekCertificate: await ek.certificate(root, {}), trustAnchors: [root.der], at: AT }
    await refuses('EK_UNSUITABLE', verifyEndorsement(claim))
    assert.equal((await verifyEndorsement({ ...claim, templates: new Set(['H-2']) })).template, 'H-2')
  })

  it('reads manufacturer, model and firmware, and says what is known against them', async () => {
    const infineon = { manufacturer: 'id:49465800', model: 'SLB 9670' }
    const bad = await withGood({ tpm: { ...infineon, version: 'id:0007003D' } })
    assert.deepEqual(bad.tpm, {
      ...{ vendorId: '49465800', vendor: 'Infineon', model: 'SLB 9670' },
      firmware: { major: 7, minor: 61 },
    })
    assert.deepEqual(codes(bad), ['FIRMWARE_KNOWN_BAD'])
    assert.match(bad.findings[0]?.detail ?? '', /7\.61.*CVE-2017-15361.*7\.62/)
    assert.deepEqual(codes(await withGood({ tpm: { ...infineon, version: 'id:0007003E' } })), [])
    const stm = { manufacturer: 'id:53544D20', version: 'id:0047000C' }
    assert.deepEqual(codes(await withGood({ tpm: stm })), ['FIRMWARE_KNOWN_BAD'])
    assert.deepEqual(codes(await withGood({ tpm: { manufacturer: 'id:58585858' } })), ['VENDOR_UNKNOWN'])
  })

  it('refuses a critical extension that it does not know, and one that stands twice', async () => {
    const unknown = new x509.Extension('2.5.29.30', true, new Uint8Array([0x30, 0]))
    await refuses('CHAIN_EXTENSION', withGood({ extensions: [unknown] }))
    const twice = [new x509.BasicConstraintsExtension(true), new x509.BasicConstraintsExtension(false)]
    await refuses('CERTIFICATE_MALFORMED', withGood({ extensions: twice }))
  })
})
