import assert from 'node:assert/strict'
import { ENROL_ANSWER, ENROL_REQUEST, type EnrolAnswer, type EnrolRequest } from '../../src/agent/enrol-file.ts'
import { enrolFileKind, MAX_ENROL_FILE } from '../../src/agent/enrol-format.ts'
import type { Hex } from '../../src/core/bytes.ts'

const hex = (length: number, digit = 'a'): Hex => `0x${digit.repeat(2 * length)}`
const request: EnrolRequest = {
  ledger: { chainId: 31337n, verifyingContract: hex(20) },
  nonce: hex(32),
  expires: 2n ** 64n - 1n,
  ekPublic: hex(314),
  ekCertificate: hex(900),
  intermediates: [hex(800), hex(700)],
  akPublic: hex(88),
  ledgerAddress: hex(20, 'b'),
  signature: hex(65),
}
const answer: EnrolAnswer = {
  ...{ requestHash: hex(32), challengeHash: hex(32, 'c'), anchorBlock: 7n },
  ...{ attest: hex(120), quoteSignature: hex(64), consent: hex(65), seal: hex(32) },
}
const malformed = { name: 'EnrolError', code: 'ENROL_FILE_MALFORMED' }

describe('enrolFormat', () => {
  const text = ENROL_REQUEST.encode(request)

  it('gives back what was written, and says what it is', () => {
    assert.deepEqual(ENROL_REQUEST.parse(text), request)
    assert.deepEqual(ENROL_ANSWER.parse(ENROL_ANSWER.encode(answer)), answer)
    assert.equal(enrolFileKind(text), 'request')
    assert.equal((JSON.parse(text) as { format: string }).format, 'attestry/enrol-request/1')
  })

  it('refuses another kind of file', () => {
    assert.throws(() => ENROL_ANSWER.parse(text), { name: 'EnrolError', code: 'ENROL_FILE_KIND' })
  })

  it('refuses a file of no kind, and of a later version', () => {
    for (const format of ['attestry/enrol-request/2', 'attestry/evidence/1', '', 7, null]) {
      const other = JSON.stringify({ ...(JSON.parse(text) as object), format })
      assert.throws(() => ENROL_REQUEST.parse(other), malformed)
      assert.throws(() => enrolFileKind(other), malformed)
    }
  })

  it('refuses what is not JSON, or not an object', () => {
    for (const other of ['', 'null', '[]', '7', text.slice(0, -3), `\ufeff${text}`, `${text}{}`]) {
      assert.throws(() => ENROL_REQUEST.parse(other), malformed)
    }
  })

  it('shows nothing of the file when it refuses it', () => {
    // ESC, BEL, DEL, CSI in one character, and a change of the direction of writing.
    const hostile = '\u001b]0;x\u0007\u001b[2J\u007f\u009b\u202e'
    const file = JSON.parse(text) as Record<string, unknown>
    const others = [{ [hostile]: '' }, { format: hostile }, { nonce: hostile }, { ledger: { [hostile]: '' } }]
    const written = others.map((other) => JSON.stringify({ ...file, ...other }, null, 1))
    for (const other of [hostile, `{ "nonce": ${hostile}`, `"${hostile}"`, ...written]) {
      assert.throws(
        () => ENROL_REQUEST.parse(other),
        (error: Error) => /^[\x20-\x7e…]+$/.test(error.message),
      )
    }
  })

  it('refuses a member too many, too few, or twice', () => {
    const file = JSON.parse(text) as Record<string, unknown>
    for (const other of [
      { ...file, note: '' },
      { ...file, nonce: undefined },
      { ...file, ledger: { ...request.ledger, chainId: '31337', rpc: '' } },
      { ...file, ledger: { chainId: '31337' } },
    ]) {
      assert.throws(() => ENROL_REQUEST.parse(`${JSON.stringify(other, null, 1)}\n`), malformed)
    }
    assert.throws(() => ENROL_REQUEST.parse(text.replace('{', `{\n "nonce": "${hex(32)}",`)), malformed)
    assert.throws(() => ENROL_REQUEST.parse(text.replace('{', '{\n "__proto__": {},')), malformed)
  })

  it('refuses bytes and numbers in another form, or beyond their bounds', () => {
    const file = JSON.parse(text) as Record<string, unknown>
    for (const other of [
      { nonce: hex(31) },
      { nonce: hex(33) },
      { nonce: hex(32, 'A') },
      { nonce: hex(32).slice(2) },
      { nonce: 7 },
      { nonce: hex(32, 'g') },
      { ekPublic: '0x' },
      { ekPublic: hex(1025) },
      { ekCertificate: `${hex(900)}a` },
      { ekCertificate: hex(8193) },
      { expires: 7 },
      { expires: '07' },
      { expires: '-1' },
      { expires: String(2n ** 64n) },
      { intermediates: {} },
      { intermediates: Array.from({ length: 9 }, () => hex(1)) },
      { intermediates: [7] },
    ]) {
      assert.throws(() => ENROL_REQUEST.parse(`${JSON.stringify({ ...file, ...other }, null, 1)}\n`), malformed)
    }
  })

  it('refuses the same content written in another way', () => {
    const file = JSON.parse(text) as Record<string, unknown>
    const turned = Object.fromEntries(Object.entries(file).reverse())
    for (const other of [JSON.stringify(file), `${JSON.stringify(turned, null, 1)}\n`, text.trim(), `${text}\n`]) {
      assert.throws(() => ENROL_REQUEST.parse(other), malformed)
    }
  })

  it('refuses a file that is too large before it looks at it', () => {
    assert.throws(() => ENROL_REQUEST.parse(' '.repeat(MAX_ENROL_FILE + 1)), /at most/)
  })
})
