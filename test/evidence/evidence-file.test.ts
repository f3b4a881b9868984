import assert from 'node:assert/strict'
import type { Evidence } from '../../src/evidence/evidence.ts'
import { decodeEvidence, encodeEvidence } from '../../src/evidence/evidence-file.ts'
import { EvidenceError } from '../../src/evidence/error.ts'

const part = (byte: number, length = 3) => new Uint8Array(length).fill(byte)
const quote = { akPublic: part(1), attest: part(2), signature: part(3) }
const whole: Evidence = {
  quote,
  endorsement: { ekPublic: part(4), ekCertificate: part(5), intermediates: [part(11), part(12, 900)] },
  pcrs: new Map([
    ['sha1', new Map([[10, part(6, 20)]])],
    [
      'sha256',
      new Map([
        [0, part(7, 32)],
        [23, part(8, 32)],
      ]),
    ],
  ]),
  eventLog: part(9),
  imaLog: part(10),
  vmmLog: new Uint8Array(),
}

const encoded = { akPublic: '0x01', attest: '0x02', signature: '0x03' }

function refused(change: (file: Record<string, unknown>) => void, message: RegExp): void {
  const file = JSON.parse(encodeEvidence(whole)) as Record<string, unknown>
  change(file)
  assert.throws(
    () => decodeEvidence(JSON.stringify(file)),
    (error) => error instanceof EvidenceError && error.code === 'EVIDENCE_MALFORMED' && message.test(error.message),
  )
}

describe('decodeEvidence', () => {
  it('gives back what was encoded, with everything and with the quote alone', () => {
    assert.deepEqual(decodeEvidence(encodeEvidence(whole)), whole)
    assert.deepEqual(decodeEvidence(encodeEvidence({ quote })), { quote })
    for (const endorsement of [
      { ekPublic: part(4) },
      { ekPublic: part(4), ekCertificate: part(5) },
      { ekPublic: part(4), ekCertificate: part(5), intermediates: [] },
      { ekPublic: part(4), ekCertificate: part(5), intermediates: Array.from({ length: 16 }, () => part(6)) },
    ]) {
      assert.deepEqual(decodeEvidence(encodeEvidence({ quote, endorsement })), { quote, endorsement })
    }
  })

  it('refuses what is not of this form, and says where', () => {
    refused((file) => (file['format'] = 'attestry/evidence/2'), /format/)
    refused((file) => (file['more'] = 1), /evidence\.more/)
    refused((file) => delete file['quote'], /^quote/)
    refused((file) => (file['quote'] = { ...encoded, attest: '0x1' }), /quote\.attest/)
    refused((file) => (file['quote'] = { ...encoded, attest: `0x${'00'.repeat(65_537)}` }), /quote\.attest/)
    refused((file) => (file['pcrs'] = { sha3: {} }), /pcrs\.sha3/)
    refused((file) => (file['pcrs'] = { sha256: { 24: '0x' } }), /pcrs\.sha256\.24/)
    refused((file) => (file['pcrs'] = { sha256: { 0: '0x00' } }), /pcrs\.sha256\.0/)
    refused((file) => (file['logs'] = { firmware: 7 }), /logs\.firmware/)
    refused((file) => (file['endorsement'] = []), /endorsement/)
    for (const intermediates of [
      Array.from({ length: 17 }, () => '0x01'),
      '0x01',
      { 0: '0x01' },
      [1],
      ['01'],
      [`0x${'00'.repeat(65_537)}`],
    ]) {
      refused((file) => (file['endorsement'] = { ekPublic: '0x01', intermediates }), /endorsement\.intermediates/)
    }
  })

  it('refuses what is no JSON', () => {
    assert.throws(
      () => decodeEvidence('{'),
      (error) => error instanceof EvidenceError,
    )
  })
})
