import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { RETURN_VALUES, errorOfReturnValue, invoke, remedyOf } from '../../../src/hsm/errors/return-values.ts'

const placed = new Map(Object.entries(RETURN_VALUES).map(([rv, [name]]) => [name, Number(rv)]))

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
    [0x7fff, 'ANSWER_UNKNOWN', 'renew'],
    [0x8000_0000, 'ANSWER_UNKNOWN', 'renew'],
    [0x8000_1234, 'ANSWER_UNKNOWN', 'renew'],
    [0xffff_fffe, 'ANSWER_UNKNOWN', 'renew'],
    [0xffff_ffff, 'DEVICE_FAILED', 'restart'],
    [0, 'DEVICE_FAILED', 'restart'],
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

describe('RETURN_VALUES', () => {
  it('has each return value of the standard’s header, under its own number', () => {
    const header = new URL('../../../node_modules/pkcs11js/includes/pkcs11/pkcs11t.h', import.meta.url)
    const defined = [...readFileSync(header, 'utf8').matchAll(/^#define (CKR_\w+)\s+0x([0-9A-Fa-f]+)UL/gm)]
    assert.equal(defined.length, 95)
    for (const [, name = '', hex = ''] of defined) {
      if (name === 'CKR_OK' || name === 'CKR_VENDOR_DEFINED') continue
      assert.equal(placed.get(name), Number.parseInt(hex, 16), name)
    }
  })

  it('has those that came after that header, which is of 2.40', () => {
    const later = {
      // 3.0
      CKR_AEAD_DECRYPT_FAILED: 0x42,
      CKR_TOKEN_RESOURCE_EXCEEDED: 0x201,
      CKR_OPERATION_CANCEL_FAILED: 0x202,
      // 3.1 and 3.2
      CKR_KEY_EXHAUSTED: 0x203,
      CKR_PENDING: 0x204,
      CKR_SESSION_ASYNC_NOT_SUPPORTED: 0x205,
      CKR_SEED_RANDOM_REQUIRED: 0x206,
      CKR_OPERATION_NOT_VALIDATED: 0x207,
      CKR_TOKEN_NOT_INITIALIZED: 0x208,
      CKR_PARAMETER_SET_NOT_SUPPORTED: 0x209,
    }
    for (const [name, rv] of Object.entries(later)) assert.equal(placed.get(name), rv, name)
  })
})

describe('errorOfReturnValue', () => {
  it('makes of every refused login one that is not tried again, unless it is known that the PIN was not looked at', () => {
    const again = [...placed.values(), 0x7fff, 0x8000_0000]
      .map((rv) => errorOfReturnValue(rv, 'C_Login', undefined))
      .filter((error) => remedyOf(error) !== 'stop')
      .map(({ code }) => code)
    assert.deepEqual([...new Set(again)].sort(), ['CALL_FAILED', 'DEVICE_FAILED', 'SESSION_LOST', 'TOKEN_NOT_READY'])
    assert.equal(errorOfReturnValue(0x8000_0000, 'C_Login', undefined).code, 'LOGIN_REFUSED')
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
