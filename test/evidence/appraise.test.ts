import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Hex } from '../../src/core/bytes.ts'
import { appraise, type Appraisal } from '../../src/evidence/appraise.ts'
import { verifyQuote, type VerifiedQuote } from '../../src/evidence/quote.ts'
import { decodeCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { QUOTE_PARTS } from '../tcg/quote-bytes.ts'
import { hex, sha256Pcrs, submittedSignature, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { makeSoftwareAk } from './software-ak.ts'

const log = decodeCanonicalLog(tpmVector('swtpm-primary-ak/vmm.cel'))
const value = sha256Pcrs('swtpm-primary-ak/pcrs.yaml').get(13) ?? new Uint8Array()
const firmware = new Uint8Array(32).fill(3)

/** A quote of the SHA-256 bank, over the values given. */
async function quoteOf(
  select: readonly number[],
  values: readonly Uint8Array[],
  hash = 0x000b,
): Promise<VerifiedQuote> {
  const ak = await makeSoftwareAk()
  const pcrDigest = Uint8Array.from(createHash('sha256').update(Buffer.concat(values)).digest())
  const quote = await ak.quote({ pcrDigest, selections: [{ hash, select }] })
  return verifyQuote(quote, ak.qualifiedName, QUOTE_PARTS.extraData)
}

const results = (appraisal: Appraisal) =>
  Object.fromEntries(appraise(appraisal).claims.map(({ name, status }) => [name, status]))
const failed = (appraisal: Appraisal) =>
  appraise(appraisal).claims.flatMap(({ name, status }) => (status === 'pass' ? [] : [`${name}: ${status}`]))

describe('appraise', () => {
  let quote: VerifiedQuote
  let good: Appraisal

  before(async () => {
    const signed = {
      akPublic: tpmtPublic('swtpm-primary-ak/ak.tpm2b_public'),
      attest: tpmVector('swtpm-primary-ak/quote.attest'),
      signature: submittedSignature(tpmVector('swtpm-primary-ak/quote.sig')),
    }
    const nonce = hex(tpmVectorText('swtpm-primary-ak/quote_nonce.hex'))
    quote = await verifyQuote(signed, akQualifiedNameOf(signed.akPublic), nonce)
    good = { quote, authorised: new Set([quote.vmmHash]), log, pcr: 13 }
  })

  it('passes a TPM’s quote whose log replays and whose measurement is authorised', () => {
    const result = appraise(good)
    assert.equal(result.ok, true)
    assert.deepEqual(results(good), {
      'vmm-authorised': 'pass',
      'pcr-selection': 'pass',
      'event-log': 'pass',
      'pcr-13': 'pass',
      'pcr-digest': 'pass',
    })
  })

  it('denies where nothing is authorised', () => {
    assert.equal(appraise({ ...good, authorised: new Set() }).ok, false)
    assert.deepEqual(failed({ ...good, authorised: new Set() }), ['vmm-authorised: fail'])
  })

  it('denies a measurement that is not authorised', () => {
    assert.deepEqual(failed({ ...good, authorised: new Set<Hex>([`0x${'00'.repeat(32)}`]) }), ['vmm-authorised: fail'])
  })

  it('denies a log that does not replay to the quote', () => {
    for (const other of [log.slice(0, -1), [...log, ...log.slice(-1)], log.toReversed()]) {
      const failures = failed({ ...good, log: other })
      assert.ok(failures.includes('pcr-digest: fail'))
    }
  })

  it('denies a log that is empty, begins without a profile, or has no component', async () => {
    assert.deepEqual(failed({ ...good, log: [] }), ['event-log: fail', 'pcr-digest: fail'])
    assert.ok(failed({ ...good, log: log.slice(1) }).includes('event-log: fail'))
    assert.ok(failed({ ...good, log: log.slice(0, 1) }).includes('event-log: fail'))
    const zero = await quoteOf([0, 0x20, 0], [new Uint8Array(32)])
    assert.deepEqual(failed({ ...good, quote: zero, authorised: new Set([zero.vmmHash]), log: [] }), [
      'event-log: fail',
    ])
  })

  it('denies a quote that does not hold the measured PCR', () => {
    assert.ok(failed({ ...good, pcr: 12 }).includes('pcr-selection: fail'))
    assert.ok(failed({ ...good, pcr: 12 }).includes('pcr-13: not-covered'))
  })

  it('denies a quoted PCR that nothing explains', async () => {
    const both = await quoteOf([1, 0x20, 0], [firmware, value])
    const appraisal = { ...good, quote: both, authorised: new Set([both.vmmHash]) }
    assert.deepEqual(failed(appraisal), ['pcr-0: not-covered', 'pcr-digest: not-covered'])
    assert.equal(appraise(appraisal).ok, false)
    assert.equal(appraise({ ...appraisal, references: new Map([[0, firmware]]) }).ok, true)
  })

  it('denies a PCR that differs from its reference value, and a reference of another length', async () => {
    const both = await quoteOf([1, 0x20, 0], [firmware, value])
    const appraisal = { ...good, quote: both, authorised: new Set([both.vmmHash]) }
    assert.deepEqual(failed({ ...appraisal, references: new Map([[0, value]]) }), ['pcr-digest: fail'])
    assert.deepEqual(failed({ ...appraisal, references: new Map([[0, firmware.slice(1)]]) }), [
      'pcr-digest: not-covered',
    ])
  })

  it('denies firmware that measured nothing, even where that is expected', async () => {
    const zero = new Uint8Array(32)
    const both = await quoteOf([1, 0x20, 0], [zero, value])
    const appraisal = { ...good, quote: both, authorised: new Set([both.vmmHash]), references: new Map([[0, zero]]) }
    assert.deepEqual(failed(appraisal), ['pcr-0: fail'])
  })

  it('does not let a reference value stand in for the log', () => {
    assert.ok(failed({ ...good, log: [], references: new Map([[13, value]]) }).includes('pcr-digest: fail'))
  })

  it('denies PCRs that software can reset, another bank, and two banks', async () => {
    const references = new Map([16, 23].map((pcr) => [pcr, firmware]))
    for (const select of [
      [0, 0x20, 0x01],
      [0, 0x20, 0x80],
    ]) {
      const resettable = await quoteOf(select, [value, firmware])
      const appraisal = { ...good, quote: resettable, authorised: new Set([resettable.vmmHash]), references }
      assert.deepEqual(failed(appraisal), ['pcr-selection: fail'])
    }
    const other = await quoteOf([0, 0x20, 0], [value], 0x000c)
    assert.deepEqual(failed({ ...good, quote: other, authorised: new Set([other.vmmHash]) }), [
      'pcr-selection: fail',
      'pcr-digest: not-covered',
    ])
    const two = { ...quote, selections: [...quote.selections, { bank: 'sha384' as const, pcrs: [13] }] }
    assert.ok(failed({ ...good, quote: two }).includes('pcr-selection: fail'))
  })
})
