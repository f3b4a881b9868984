import { Pkcs11Error, type Pkcs11ErrorCode } from '../error.ts'

/**
 * What follows from an error.
 *
 * - `reopen` the module is finalised and initialised, the token logged in, the keys found and tested; the call is
 *   made once more
 * - `retry` the same, but only for calls that change nothing and reveal nothing when repeated; others fail
 * - `restart` the call fails; the device process is ended, and the next call starts another, with back-off
 * - `stop` the call fails, the device process is ended and none is started again
 * - `none` the call fails, and that is all
 */
export type Remedy = 'reopen' | 'retry' | 'restart' | 'stop' | 'none'

/** The remedy for each code. What is not listed has none. */
const remedies: Partial<Record<Pkcs11ErrorCode, Remedy>> = {
  SESSION_LOST: 'reopen',
  CALL_FAILED: 'retry',
  DEVICE_FAILED: 'restart',
  SIGNATURE_WRONG: 'restart',
  TOKEN_NOT_FOUND: 'restart',
  TOKEN_AMBIGUOUS: 'restart',
  TOKEN_NOT_READY: 'restart',
  INTERNAL: 'restart',
  PIN_INCORRECT: 'stop',
  PIN_LOCKED: 'stop',
  PIN_FINAL_TRY: 'stop',
  PIN_EXPIRED: 'stop',
}

/** Return values by number (PKCS#11 3.0, pkcs11t.h): the binding names some of the newer ones wrongly. */
const returnValues: Readonly<Record<number, readonly [name: string, code: Pkcs11ErrorCode]>> = {
  0x02: ['CKR_HOST_MEMORY', 'DEVICE_FAILED'],
  0x03: ['CKR_SLOT_ID_INVALID', 'SESSION_LOST'],
  0x05: ['CKR_GENERAL_ERROR', 'CALL_FAILED'],
  0x06: ['CKR_FUNCTION_FAILED', 'CALL_FAILED'],
  0x07: ['CKR_ARGUMENTS_BAD', 'CALL_REFUSED'],
  0x10: ['CKR_ATTRIBUTE_READ_ONLY', 'CALL_REFUSED'],
  0x11: ['CKR_ATTRIBUTE_SENSITIVE', 'CALL_REFUSED'],
  0x12: ['CKR_ATTRIBUTE_TYPE_INVALID', 'CALL_REFUSED'],
  0x13: ['CKR_ATTRIBUTE_VALUE_INVALID', 'CALL_REFUSED'],
  0x1b: ['CKR_ACTION_PROHIBITED', 'CALL_REFUSED'],
  0x30: ['CKR_DEVICE_ERROR', 'DEVICE_FAILED'],
  0x31: ['CKR_DEVICE_MEMORY', 'DEVICE_FAILED'],
  0x32: ['CKR_DEVICE_REMOVED', 'DEVICE_FAILED'],
  0x40: ['CKR_ENCRYPTED_DATA_INVALID', 'CIPHERTEXT_INVALID'],
  0x41: ['CKR_ENCRYPTED_DATA_LEN_RANGE', 'CIPHERTEXT_INVALID'],
  0x42: ['CKR_AEAD_DECRYPT_FAILED', 'CIPHERTEXT_INVALID'],
  0x54: ['CKR_FUNCTION_NOT_SUPPORTED', 'CALL_REFUSED'],
  0x60: ['CKR_KEY_HANDLE_INVALID', 'SESSION_LOST'],
  0x68: ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'CALL_REFUSED'],
  0x70: ['CKR_MECHANISM_INVALID', 'CALL_REFUSED'],
  0x71: ['CKR_MECHANISM_PARAM_INVALID', 'CALL_REFUSED'],
  0x82: ['CKR_OBJECT_HANDLE_INVALID', 'SESSION_LOST'],
  0x90: ['CKR_OPERATION_ACTIVE', 'SESSION_LOST'],
  0x91: ['CKR_OPERATION_NOT_INITIALIZED', 'SESSION_LOST'],
  0xa0: ['CKR_PIN_INCORRECT', 'PIN_INCORRECT'],
  0xa1: ['CKR_PIN_INVALID', 'PIN_INCORRECT'],
  0xa2: ['CKR_PIN_LEN_RANGE', 'PIN_INCORRECT'],
  0xa3: ['CKR_PIN_EXPIRED', 'PIN_EXPIRED'],
  0xa4: ['CKR_PIN_LOCKED', 'PIN_LOCKED'],
  0xb0: ['CKR_SESSION_CLOSED', 'SESSION_LOST'],
  0xb1: ['CKR_SESSION_COUNT', 'CALL_FAILED'],
  0xb3: ['CKR_SESSION_HANDLE_INVALID', 'SESSION_LOST'],
  0xe0: ['CKR_TOKEN_NOT_PRESENT', 'DEVICE_FAILED'],
  0xe1: ['CKR_TOKEN_NOT_RECOGNIZED', 'DEVICE_FAILED'],
  0x101: ['CKR_USER_NOT_LOGGED_IN', 'SESSION_LOST'],
  0x102: ['CKR_USER_PIN_NOT_INITIALIZED', 'TOKEN_NOT_READY'],
  0x150: ['CKR_BUFFER_TOO_SMALL', 'RESULT_TOO_LARGE'],
  0x190: ['CKR_CRYPTOKI_NOT_INITIALIZED', 'DEVICE_FAILED'],
}

/** What to do after an error; what is no error of PKCS#11 has no remedy here. */
export function remedyOf(error: unknown): Remedy {
  return error instanceof Pkcs11Error ? (remedies[error.code] ?? 'none') : 'none'
}

/** The error for a return value. Outside of the 32 bits that the standard has, the module is beyond trust. */
export function errorOfReturnValue(rv: number, fn: string, cause: unknown): Pkcs11Error {
  const unknown = rv > 0 && rv < 0xffff_ffff ? 'CALL_REFUSED' : 'DEVICE_FAILED'
  const [name, code] = returnValues[rv] ?? [`0x${rv.toString(16)}`, unknown]
  return new Pkcs11Error(code, `${fn} answered ${name}`, { rv, fn }, { cause })
}

/**
 * Makes a call into the module, and its failure a `Pkcs11Error`. Some functions of the binding throw an error of a
 * class of its own with the number as `code`, some a plain one with the number at the end of the message.
 */
export function invoke<T>(fn: string, call: () => T): T {
  try {
    return call()
  } catch (cause) {
    const { code, message } = cause as { code?: unknown; message?: unknown }
    const rv = typeof code === 'number' ? code : Number(/^CKR_\w+:(\d+)/.exec(String(message))?.[1] ?? Number.NaN)
    if (Number.isNaN(rv) || cause instanceof TypeError) throw cause
    throw errorOfReturnValue(rv, fn, cause)
  }
}
