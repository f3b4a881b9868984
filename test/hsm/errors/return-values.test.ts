import assert from 'node:assert/strict'
import { errorOfReturnValue, invoke, remedyOf } from '../../../src/hsm/errors/return-values.ts'

describe('remedyOf', () => {
  for (const [rv, code, remedy] of [
    [0x05, 'CALL_FAILED', 'retry'],
    [0x30, 'DEVICE_FAILED', 'restart'],
    [0x82, 'SESSION_LOST', 'reopen'],
    [0x90, 'SESSION_LOST', 'reopen'],
    [0xa0, 'PIN_INCORRECT', 'stop'],
    [0xa4, 'PIN_LOCKED', 'stop'],
    [0xb3, 'SESSION_LOST', 'reopen'],
    [0x40, 'CIPHERTEXT_INVALID', 'none'],
    [0x1b, 'CALL_REFUSED', 'none'],
    [0x7fff, 'CALL_REFUSED', 'none'],
    [-1, 'DEVICE_FAILED', 'restart'],
    [2 ** 64, 'DEVICE_FAILED', 'restart'],
  ] as const) {
    it(`is ${remedy} after ${rv}`, () => {
      const error = errorOfReturnValue(rv, 'C_Sign', undefined)
      assert.equal(error.code, code)
      assert.equal(remedyOf(error), remedy)
    })
  }

  it('is none for what is no error of PKCS#11', () => {
    assert.equal(remedyOf(new TypeError('defect')), 'none')
  })
})

describe('invoke', () => {
  it('gives what the call gives', () => {
    assert.equal(
      invoke('C_Sign', () => 7),
      7,
    )
  })

  it('makes one error of both forms that the binding throws', () => {
    const coded = Object.assign(new Error('CKR_DEVICE_ERROR'), { code: 0x30 })
    for (const cause of [coded, new Error('CKR_DEVICE_ERROR:48\n    at PKCS11.C_FindObjects')]) {
      const call = () => {
        throw cause
      }
      assert.throws(() => invoke('C_FindObjects', call), {
        name: 'Pkcs11Error',
        code: 'DEVICE_FAILED',
        rv: 0x30,
        fn: 'C_FindObjects',
        cause,
      })
    }
  })

  it('leaves defects as they are', () => {
    const call = () => {
      throw new TypeError('Argument 0 has wrong type')
    }
    assert.throws(() => invoke('C_Sign', call), TypeError)
  })
})
