import 'reflect-metadata'
import assert from 'node:assert/strict'
import { KeyUsageFlags } from '@peculiar/x509'
import { OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'
import { parseAppraisalPolicy, type AppraisalPolicy } from '../../src/evidence/appraisal-policy.ts'
import { appraiseEvidence } from '../../src/evidence/appraise-evidence.ts'
import type { AppraisalContext } from '../../src/evidence/appraise-tpm.ts'
import { verifyEndorsement } from '../../src/evidence/endorsement.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { policyOf } from '../../src/evidence/policy-of.ts'
import { verifyTpmQuote } from '../../src/evidence/tpm-quote.ts'
import { concat, toHex } from '../../src/core/bytes.ts'
import { bootStateOf } from '../../src/tcg/boot-state.ts'
import { parseEventLog } from '../../src/tcg/event-log.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { nameOf } from '../../src/tcg/name.ts'
import { attestBytes, QUOTE_PARTS } from '../tcg/quote-bytes.ts'
import { AK_PARTS, eccPublicBytes } from '../tcg/public-bytes.ts'
import { AT, makeAuthority, makeEk, makeList, makeRsaEk, type Authority, type CertificateParts } from './authority.ts'
import { capturedContext, capturedEvidence } from './captured-evidence.ts'
import { refuses } from './refusal.ts'
import { rocaKeyPair } from './roca-key.ts'
import { makeSoftwareAk } from './software-ak.ts'

const SECURE_BOOT = '04-ovmf-secureboot-shim-grub'
const own = capturedEvidence(SECURE_BOOT)
const context = capturedContext(SECURE_BOOT)
let policy: AppraisalPolicy

/** Whether evidence is taken. What cannot be verified is not. */
async function isTaken(evidence: Evidence, under = policy, known: AppraisalContext = context): Promise<boolean> {
  try {
    return (await appraiseEvidence(evidence, under, known)).ok
  } catch (error) {
    if (error instanceof EvidenceError) return false
    throw error
  }
}

/** At least one test for each class of attack on quotes and logs, beside the many of each part. Class 10 is in test/agent/collect-evidence.test.ts. */
describe('attacks on quotes and logs', () => {
  before(async () => {
    policy = parseAppraisalPolicy((await policyOf(own)).text)
    assert.equal(await isTaken(own), true)
  })

  it('class 1: a quote that is not whole, or has more behind it, or is no quote', async () => {
    const ak = await makeSoftwareAk()
    const whole = attestBytes()
    for (const attest of [
      attestBytes({ magic: 0xff544346 }),
      attestBytes({ type: 0x801a }),
      attestBytes({ count: 2 }),
      concat(whole, Uint8Array.of(0)),
      whole.slice(0, -1),
    ]) {
      await refuses('QUOTE_MALFORMED', verifyTpmQuote(await ak.sign(attest)))
    }
    assert.equal((await verifyTpmQuote(await ak.sign(whole))).extraData.length, 32)
  })

  it('class 2: values of a PCR that was not signed, or of another bank', async () => {
    const sha256 = new Map(own.pcrs.get('sha256'))
    // PCR 15 is not selected: whatever is said of it changes nothing, and explains nothing.
    sha256.set(15, new Uint8Array(32).fill(1))
    assert.equal(await isTaken({ ...own, pcrs: new Map([['sha256', sha256]]) }), true)
    assert.equal(await isTaken({ ...own, pcrs: new Map([['sha256', sha256]]) }, { ...policy, pcrs: [15] }), false)
    assert.equal(await isTaken(own, { ...policy, bank: 'sha384' }), false)
    // What anybody can reset proves nothing, even where everything else of it is right.
    for (const pcr of [16, 23])
      assert.equal(
        await isQuoteTaken([
          [13, 0],
          [pcr, 0],
        ]),
        false,
      )
    assert.equal(await isQuoteTaken([[13, 0]]), true)
  })

  it('class 3: an old quote, or one that was made for somebody else', async () => {
    assert.equal(await isTaken(own, policy, { ...context, nonce: new Uint8Array(32) }), false)
    const { at, trustAnchors, hardwareRoots } = context
    assert.equal(await isTaken(own, policy, { at, trustAnchors, hardwareRoots }), false)
  })

  it('class 4: a key that can sign anything, can leave its TPM, or was not enrolled', async () => {
    for (const missing of ['restricted', 'fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'sign'] as const) {
      const ak = await makeSoftwareAk({ attributes: AK_PARTS.attributes & ~OBJECT_ATTRIBUTES[missing] })
      await refuses('AK_UNSUITABLE', verifyTpmQuote(await ak.quote()))
    }
    const decrypts = await makeSoftwareAk({ attributes: AK_PARTS.attributes | OBJECT_ATTRIBUTES.decrypt })
    await refuses('AK_UNSUITABLE', verifyTpmQuote(await decrypts.quote()))
    assert.equal(await isTaken(own, { ...policy, attestationKeys: new Map() }), false)
  })

  it('class 5: weak algorithms, and keys that can be computed', async () => {
    for (const weak of [{ scheme: [0x0018, 0x0004] }, { nameAlgorithm: 0x0004 }, { curve: 0x0001 }]) {
      await refuses('AK_UNSUITABLE', verifyTpmQuote({ ...own.quote, akPublic: eccPublicBytes(weak) }))
    }
    const root = await makeAuthority('CN=Vendor root')
    const ek = await makeRsaEk((await rocaKeyPair()).publicKey)
    const endorsement = { ekPublic: ek.public, ekCertificate: await ek.certificate(root, {}) }
    const trusting = { ...context, at: AT, trustAnchors: [root.der] }
    const { claims } = await appraiseEvidence({ ...own, endorsement }, policy, trusting)
    assert.equal(claims.find(({ name }) => name === 'tpm-weakness')?.code, 'TPM_WEAK')
  })

  it('class 6: a clock that stands still or goes back', async () => {
    const { clock } = await verifyTpmQuote(own.quote)
    const after = (resetCount: number, ms: bigint) => ({
      ...policy,
      clock: { requireSafe: true, after: { resetCount, restartCount: clock.restartCount, clock: ms } },
    })
    assert.equal(await isTaken(own, after(clock.resetCount, clock.clock - 1n)), true)
    assert.equal(await isTaken(own, after(clock.resetCount, clock.clock)), false)
    assert.equal(await isTaken(own, after(clock.resetCount + 1, 0n)), false)
  })

  it('class 7: a quoted PCR that nothing explains', async () => {
    for (const pcr of [0, 4, 7, 8, 14]) {
      const events = policy.firmware.events.filter((rule) => rule.pcr !== pcr)
      assert.equal(await isTaken(own, { ...policy, firmware: { ...policy.firmware, events } }), false, `PCR ${pcr}`)
    }
    assert.equal(await isTaken(own, { ...policy, unextended: policy.unextended.slice(1) }), false)
    assert.equal(await isTaken(own, { ...policy, ima: undefined }), false)
  })

  it('class 7: firmware that measured nothing, and a PCR that is not as a reset leaves it', async () => {
    for (let pcr = 0; pcr < 8; pcr++) assert.equal(await isQuoteTaken([[pcr, 0]]), false, `PCR ${pcr}`)
    for (let pcr = 17; pcr <= 22; pcr++) {
      assert.equal(await isQuoteTaken([[pcr, 0xff]]), true, `PCR ${pcr}`)
      assert.equal(await isQuoteTaken([[pcr, 0]]), false, `PCR ${pcr}`)
    }
    for (const pcr of [8, 15]) {
      assert.equal(await isQuoteTaken([[pcr, 0]]), true, `PCR ${pcr}`)
      assert.equal(await isQuoteTaken([[pcr, 0xff]]), false, `PCR ${pcr}`)
    }
  })

  it('class 8: event types that tell another story than the digests', () => {
    const log = own.eventLog
    assert.equal(bootStateOf(parseEventLog(log), 'sha256').secureBoot.enabled, true)
    const view = new DataView(Uint8Array.from(log).buffer)
    const bytes = new Uint8Array(view.buffer)
    // Whatever one event is relabelled as, Secure Boot is never said to be off.
    const { events } = parseEventLog(log)
    let said = 0
    for (const { index, pcr, type } of events) {
      if (pcr !== 7 || index === 0) continue
      const at = typeOffset(bytes, index)
      assert.equal(view.getUint32(at, true), type)
      for (const other of [0x4, 0x5, 0x6, 0xd, 0x80000001, 0x80000002, 0x800000e0]) {
        view.setUint32(at, other, true)
        const { enabled } = bootStateOf(parseEventLog(bytes), 'sha256').secureBoot
        assert.notEqual(enabled, false)
        said += Number(enabled === undefined)
      }
      view.setUint32(at, type, true)
    }
    assert.ok(said > 0)
  })

  it('class 9: an empty policy, and logs that cannot be read', async () => {
    assert.equal(await isTaken(own, parseAppraisalPolicy('')), false)
    const broken = Uint8Array.of(1, 2, 3)
    assert.equal(await isTaken({ ...own, eventLog: broken }), false)
    assert.equal(await isTaken({ ...own, imaLog: broken }), false)
    assert.equal(
      await isTaken({ ...own, vmmLog: broken }, { ...policy, vmm: { pcr: 13, components: new Map() } }),
      false,
    )
  })

  it('class 11: a certificate of another EK, of nobody who is trusted, or past its time', async () => {
    const other = { ...own.endorsement, ekCertificate: (await foreignCertificate()).certificate }
    assert.equal(await isTaken({ ...own, endorsement: other }), false)
    assert.equal(await isTaken(own, policy, { ...context, trustAnchors: [] }), false)
    assert.equal(await isTaken(own, policy, { ...context, at: new Date('2019-01-01') }), false)
    const { root, certificate } = await foreignCertificate()
    await refuses(
      'CERTIFICATE_OTHER_KEY',
      verifyEndorsement({ ...own.endorsement, ekCertificate: certificate, trustAnchors: [root], at: AT }),
    )
  })

  it('class 11: a certificate for another use, below an authority that may not issue it, or revoked', async () => {
    const root = await makeAuthority('CN=Vendor root')
    const ek = await makeEk()
    const verify = async (issuer: Authority, parts: CertificateParts = {}, lists: readonly Uint8Array[] = []) =>
      verifyEndorsement({
        ekPublic: ek.public,
        ekCertificate: await ek.certificate(issuer, parts),
        trustAnchors: [root.der, short.der, issuer.der],
        revocationLists: lists,
        at: AT,
      })
    const short = await makeAuthority('CN=Short root', { authority: { pathLength: 0 } })
    await verify(root)
    await refuses('CERTIFICATE_USAGE', verify(root, { keyUsage: KeyUsageFlags.digitalSignature }))
    await refuses('CERTIFICATE_USAGE', verify(root, { extendedKeyUsage: ['1.3.6.1.5.5.7.3.1'] }))
    await verify(short)
    await refuses('CHAIN_AUTHORITY', verify(await makeAuthority('CN=Below', { issuer: short })))
    const signing = { issuer: root, keyUsage: KeyUsageFlags.digitalSignature }
    await refuses('CHAIN_AUTHORITY', verify(await makeAuthority('CN=No authority', signing)))
    await verify(root, { serialNumber: '33' }, [await makeList(root, { revoked: ['44'] })])
    const revoking = await makeList(root, { revoked: ['33'] })
    await refuses('CERTIFICATE_REVOKED', verify(root, { serialNumber: '33' }, [revoking]))
  })
})

/** Whether a quote of PCRs that hold one byte throughout is taken under a policy by which none of them was ever extended. */
async function isQuoteTaken(held: readonly (readonly [pcr: number, byte: number])[]): Promise<boolean> {
  const ak = await makeSoftwareAk()
  const values = new Map(held.map(([pcr, byte]) => [pcr, new Uint8Array(32).fill(byte)]))
  const select = [0, 0, 0]
  for (const pcr of values.keys()) select[pcr >> 3] = (select[pcr >> 3] ?? 0) | (1 << (pcr & 7))
  const quote = await ak.quote({
    selections: [{ hash: 0x000b, select }],
    pcrDigest: sha256(concat(...values.values())),
  })
  const name = toHex(nameOf(ak.public))
  const plain = parseAppraisalPolicy(`[[attestation_keys]]\nname = "${name}"\n[tpm]\nassurance = "none"`)
  const under = { ...plain, unextended: [...values.keys()] }
  return isTaken({ quote, pcrs: new Map([['sha256', values]]) }, under, { ...context, nonce: QUOTE_PARTS.extraData })
}

async function foreignCertificate() {
  const root = await makeAuthority('CN=Vendor root')
  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
  }
  const ek = await makeRsaEk((await crypto.subtle.generateKey(rsa, true, ['sign', 'verify'])).publicKey)
  return { root: root.der, certificate: await ek.certificate(root, {}) }
}

/** Where an event's type stands in a crypto-agile log of four banks. */
function typeOffset(log: Uint8Array, index: number): number {
  const view = new DataView(log.buffer, log.byteOffset, log.byteLength)
  let offset = 32 + view.getUint32(28, true)
  for (let i = 1; i < index; i++) {
    offset += 12 + 4 * 2 + 20 + 32 + 48 + 64
    offset += 4 + view.getUint32(offset, true)
  }
  return offset + 4
}
