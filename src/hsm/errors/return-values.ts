import { Pkcs11Error, type Pkcs11ErrorCode } from '../error.ts'

/**
 * What follows from an error.
 *
 * - `reopen` the module is finalised and initialised, the token logged in, the keys found and tested; the call is
 *   made once more
 * - `retry` the same, but only for calls that change nothing and reveal nothing when repeated; others fail
 * - `renew` the call fails; before the next one everything is opened anew, as for `reopen`
 * - `restart` the call fails; the device process is ended, and the next call starts another, with back-off
 * - `stop` the call fails, the device process is ended and none is started again
 * - `none` the call fails, and that is all
 */
export type Remedy = 'reopen' | 'retry' | 'renew' | 'restart' | 'stop' | 'none'

/** The remedy for each code. What is not listed has none. */
const remedies: Partial<Record<Pkcs11ErrorCode, Remedy>> = {
  SESSION_LOST: 'reopen',
  CALL_FAILED: 'retry',
  ANSWER_UNKNOWN: 'renew',
  DEVICE_FAILED: 'restart',
  SIGNATURE_WRONG: 'restart',
  TOKEN_NOT_FOUND: 'restart',
  TOKEN_AMBIGUOUS: 'restart',
  TOKEN_NOT_READY: 'restart',
  INTERNAL: 'restart',
  LOGIN_REFUSED: 'stop',
  PIN_INCORRECT: 'stop',
  PIN_LOCKED: 'stop',
  PIN_FINAL_TRY: 'stop',
  PIN_EXPIRED: 'stop',
}

/**
 * Every return value that PKCS#11 3.0 names, and those that 3.1 and 3.2 have added since (pkcs11t.h), by number: the
 * binding names some of the newer ones wrongly.
 */
export const RETURN_VALUES: Readonly<Record<number, readonly [name: string, code: Pkcs11ErrorCode]>> = {
  0x01: ['CKR_CANCEL', 'CALL_REFUSED'],
  0x02: ['CKR_HOST_MEMORY', 'DEVICE_FAILED'],
  0x03: ['CKR_SLOT_ID_INVALID', 'SESSION_LOST'],
  0x05: ['CKR_GENERAL_ERROR', 'CALL_FAILED'],
  0x06: ['CKR_FUNCTION_FAILED', 'CALL_FAILED'],
  0x07: ['CKR_ARGUMENTS_BAD', 'CALL_REFUSED'],
  0x08: ['CKR_NO_EVENT', 'CALL_REFUSED'],
  0x09: ['CKR_NEED_TO_CREATE_THREADS', 'CALL_REFUSED'],
  0x0a: ['CKR_CANT_LOCK', 'CALL_REFUSED'],
  0x10: ['CKR_ATTRIBUTE_READ_ONLY', 'CALL_REFUSED'],
  0x11: ['CKR_ATTRIBUTE_SENSITIVE', 'CALL_REFUSED'],
  0x12: ['CKR_ATTRIBUTE_TYPE_INVALID', 'CALL_REFUSED'],
  0x13: ['CKR_ATTRIBUTE_VALUE_INVALID', 'CALL_REFUSED'],
  0x1b: ['CKR_ACTION_PROHIBITED', 'CALL_REFUSED'],
  0x20: ['CKR_DATA_INVALID', 'CALL_REFUSED'],
  0x21: ['CKR_DATA_LEN_RANGE', 'CALL_REFUSED'],
  0x30: ['CKR_DEVICE_ERROR', 'DEVICE_FAILED'],
  0x31: ['CKR_DEVICE_MEMORY', 'DEVICE_FAILED'],
  0x32: ['CKR_DEVICE_REMOVED', 'DEVICE_FAILED'],
  0x40: ['CKR_ENCRYPTED_DATA_INVALID', 'CIPHERTEXT_INVALID'],
  0x41: ['CKR_ENCRYPTED_DATA_LEN_RANGE', 'CIPHERTEXT_INVALID'],
  0x42: ['CKR_AEAD_DECRYPT_FAILED', 'CIPHERTEXT_INVALID'],
  0x50: ['CKR_FUNCTION_CANCELED', 'CALL_FAILED'],
  0x51: ['CKR_FUNCTION_NOT_PARALLEL', 'CALL_REFUSED'],
  0x54: ['CKR_FUNCTION_NOT_SUPPORTED', 'CALL_REFUSED'],
  0x60: ['CKR_KEY_HANDLE_INVALID', 'SESSION_LOST'],
  0x62: ['CKR_KEY_SIZE_RANGE', 'CALL_REFUSED'],
  0x63: ['CKR_KEY_TYPE_INCONSISTENT', 'CALL_REFUSED'],
  0x64: ['CKR_KEY_NOT_NEEDED', 'CALL_REFUSED'],
  0x65: ['CKR_KEY_CHANGED', 'CALL_REFUSED'],
  0x66: ['CKR_KEY_NEEDED', 'CALL_REFUSED'],
  0x67: ['CKR_KEY_INDIGESTIBLE', 'CALL_REFUSED'],
  0x68: ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'CALL_REFUSED'],
  0x69: ['CKR_KEY_NOT_WRAPPABLE', 'CALL_REFUSED'],
  0x6a: ['CKR_KEY_UNEXTRACTABLE', 'CALL_REFUSED'],
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
  0xb4: ['CKR_SESSION_PARALLEL_NOT_SUPPORTED', 'CALL_REFUSED'],
  0xb5: ['CKR_SESSION_READ_ONLY', 'CALL_REFUSED'],
  0xb6: ['CKR_SESSION_EXISTS', 'CALL_REFUSED'],
  0xb7: ['CKR_SESSION_READ_ONLY_EXISTS', 'CALL_REFUSED'],
  0xb8: ['CKR_SESSION_READ_WRITE_SO_EXISTS', 'CALL_REFUSED'],
  0xc0: ['CKR_SIGNATURE_INVALID', 'CALL_REFUSED'],
  0xc1: ['CKR_SIGNATURE_LEN_RANGE', 'CALL_REFUSED'],
  0xd0: ['CKR_TEMPLATE_INCOMPLETE', 'CALL_REFUSED'],
  0xd1: ['CKR_TEMPLATE_INCONSISTENT', 'CALL_REFUSED'],
  0xe0: ['CKR_TOKEN_NOT_PRESENT', 'DEVICE_FAILED'],
  0xe1: ['CKR_TOKEN_NOT_RECOGNIZED', 'DEVICE_FAILED'],
  0xe2: ['CKR_TOKEN_WRITE_PROTECTED', 'CALL_REFUSED'],
  0xf0: ['CKR_UNWRAPPING_KEY_HANDLE_INVALID', 'SESSION_LOST'],
  0xf1: ['CKR_UNWRAPPING_KEY_SIZE_RANGE', 'CALL_REFUSED'],
  0xf2: ['CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT', 'CALL_REFUSED'],
  // Nobody is logged in to a module that was just initialised: this one is not in the state in which it says it is.
  0x100: ['CKR_USER_ALREADY_LOGGED_IN', 'DEVICE_FAILED'],
  0x101: ['CKR_USER_NOT_LOGGED_IN', 'SESSION_LOST'],
  0x102: ['CKR_USER_PIN_NOT_INITIALIZED', 'TOKEN_NOT_READY'],
  0x103: ['CKR_USER_TYPE_INVALID', 'CALL_REFUSED'],
  0x104: ['CKR_USER_ANOTHER_ALREADY_LOGGED_IN', 'DEVICE_FAILED'],
  0x105: ['CKR_USER_TOO_MANY_TYPES', 'CALL_FAILED'],
  0x110: ['CKR_WRAPPED_KEY_INVALID', 'CALL_REFUSED'],
  0x112: ['CKR_WRAPPED_KEY_LEN_RANGE', 'CALL_REFUSED'],
  0x113: ['CKR_WRAPPING_KEY_HANDLE_INVALID', 'SESSION_LOST'],
  0x114: ['CKR_WRAPPING_KEY_SIZE_RANGE', 'CALL_REFUSED'],
  0x115: ['CKR_WRAPPING_KEY_TYPE_INCONSISTENT', 'CALL_REFUSED'],
  0x120: ['CKR_RANDOM_SEED_NOT_SUPPORTED', 'CALL_REFUSED'],
  0x121: ['CKR_RANDOM_NO_RNG', 'CALL_REFUSED'],
  0x130: ['CKR_DOMAIN_PARAMS_INVALID', 'CALL_REFUSED'],
  0x140: ['CKR_CURVE_NOT_SUPPORTED', 'CALL_REFUSED'],
  0x150: ['CKR_BUFFER_TOO_SMALL', 'RESULT_TOO_LARGE'],
  0x160: ['CKR_SAVED_STATE_INVALID', 'CALL_REFUSED'],
  0x170: ['CKR_INFORMATION_SENSITIVE', 'CALL_REFUSED'],
  0x180: ['CKR_STATE_UNSAVEABLE', 'CALL_REFUSED'],
  0x190: ['CKR_CRYPTOKI_NOT_INITIALIZED', 'DEVICE_FAILED'],
  0x191: ['CKR_CRYPTOKI_ALREADY_INITIALIZED', 'DEVICE_FAILED'],
  0x1a0: ['CKR_MUTEX_BAD', 'DEVICE_FAILED'],
  0x1a1: ['CKR_MUTEX_NOT_LOCKED', 'DEVICE_FAILED'],
  0x1b0: ['CKR_NEW_PIN_MODE', 'CALL_REFUSED'],
  0x1b1: ['CKR_NEXT_OTP', 'CALL_REFUSED'],
  0x1b5: ['CKR_EXCEEDED_MAX_ITERATIONS', 'CALL_FAILED'],
  0x1b6: ['CKR_FIPS_SELF_TEST_FAILED', 'DEVICE_FAILED'],
  0x1b7: ['CKR_LIBRARY_LOAD_FAILED', 'DEVICE_FAILED'],
  0x1b8: ['CKR_PIN_TOO_WEAK', 'CALL_REFUSED'],
  0x1b9: ['CKR_PUBLIC_KEY_INVALID', 'CALL_REFUSED'],
  0x200: ['CKR_FUNCTION_REJECTED', 'CALL_REFUSED'],
  0x201: ['CKR_TOKEN_RESOURCE_EXCEEDED', 'CALL_FAILED'],
  // What could not be cancelled is still going on in the session.
  0x202: ['CKR_OPERATION_CANCEL_FAILED', 'SESSION_LOST'],
  0x203: ['CKR_KEY_EXHAUSTED', 'CALL_REFUSED'],
  // Nothing is ever asked for asynchronously: the session is not in the state in which it should be.
  0x204: ['CKR_PENDING', 'SESSION_LOST'],
  0x205: ['CKR_SESSION_ASYNC_NOT_SUPPORTED', 'CALL_REFUSED'],
  0x206: ['CKR_SEED_RANDOM_REQUIRED', 'CALL_REFUSED'],
  0x207: ['CKR_OPERATION_NOT_VALIDATED', 'CALL_REFUSED'],
  0x208: ['CKR_TOKEN_NOT_INITIALIZED', 'TOKEN_NOT_READY'],
  0x209: ['CKR_PARAMETER_SET_NOT_SUPPORTED', 'CALL_REFUSED'],
}

/** From here on numbers are the vendor's (PKCS#11 3.0, 3.6). */
const VENDOR_DEFINED = 0x8000_0000
/** A CK_RV has as many bits as a long, but the standard uses 32. All of them are what some modules answer when they crash. */
const MINUS_ONE = 0xffff_ffff

/**
 * What C_Login's refusals become. Whatever the reason: as long as it is not known that the PIN was not looked at, asking
 * again could be one more try of a wrong one.
 */
const REFUSED_LOGIN: readonly Pkcs11ErrorCode[] = [
  'CALL_REFUSED',
  'ANSWER_UNKNOWN',
  'CIPHERTEXT_INVALID',
  'RESULT_TOO_LARGE',
]

/** What to do after an error; what is no error of PKCS#11 has no remedy here. */
export function remedyOf(error: unknown): Remedy {
  return error instanceof Pkcs11Error ? (remedies[error.code] ?? 'none') : 'none'
}

/**
 * The error for a return value. Of one that neither the standard nor this table names nobody knows whether the session is
 * still of use. Outside of the 32 bits that the standard has, or 0 as an error, the module is beyond trust.
 */
export function errorOfReturnValue(rv: number, fn: string, cause: unknown): Pkcs11Error {
  const [name, code] = RETURN_VALUES[rv] ?? unnamed(rv)
  const judged = fn === 'C_Login' && REFUSED_LOGIN.includes(code) ? 'LOGIN_REFUSED' : code
  return new Pkcs11Error(judged, `${fn} answered ${name}`, { rv, fn }, { cause })
}

function unnamed(rv: number): readonly [name: string, code: Pkcs11ErrorCode] {
  const hex = `0x${rv.toString(16)}`
  if (!(rv > 0 && rv < MINUS_ONE)) return [hex, 'DEVICE_FAILED']
  return [
    rv >= VENDOR_DEFINED ? `${hex}, a vendor’s own value` : `${hex}, which is no value of PKCS#11`,
    'ANSWER_UNKNOWN',
  ]
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
