import assert from 'node:assert/strict'
import { Reader } from '../../src/core/reader.ts'
import { Writer } from '../../src/core/writer.ts'
import { readEcdsaSignature } from '../../src/tpm/ecdsa-signature.ts'
import { tpmError } from './suite.ts'

const ECDSA = 0x18
const SHA256 = 0x0b
const N = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
const HALF_N = '7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8'

describe('readEcdsaSignature', () => {
  it('gives back the leading zeros that a TPM leaves out', () => {
    assert.equal(hex(read('01', 'abcd')), `${'1'.padStart(64, '0')}${'abcd'.padStart(64, '0')}`)
  })

  it('keeps a low s and turns a high one over', () => {
    const s = (given: string): string => hex(read('01', given)).slice(64)
    assert.equal(s(HALF_N), HALF_N)
    assert.equal(s(`${HALF_N.slice(0, -1)}9`), HALF_N)
    assert.equal(s(`${N.slice(0, -1)}0`), '1'.padStart(64, '0'))
  })

  it('refuses numbers that are zero, or not below the order', () => {
    for (const bad of ['', '00', N]) {
      assert.throws(() => read(bad, '01'), tpmError('RESPONSE_UNEXPECTED'))
      assert.throws(() => read('01', bad), tpmError('RESPONSE_UNEXPECTED'))
    }
  })

  it('refuses another scheme, another hash, a longer number and trailing bytes', () => {
    assert.throws(() => read('01', '01', { scheme: 0x14 }), tpmError('RESPONSE_UNEXPECTED'))
    assert.throws(() => read('01', '01', { hash: 0x04 }), tpmError('RESPONSE_UNEXPECTED'))
    assert.throws(() => read(`00${N}`, '01'), RangeError)
    assert.throws(() => read('01', '01', { after: Uint8Array.of(0) }), RangeError)
  })
})

function read(r: string, s: string, { scheme = ECDSA, hash = SHA256, after = new Uint8Array() } = {}) {
  const wire = new Writer().u16(scheme).u16(hash).sized16(Buffer.from(r, 'hex')).sized16(Buffer.from(s, 'hex'))
  return readEcdsaSignature(new Reader(wire.bytes(after).finish()))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
