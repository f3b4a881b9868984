import pkcs11js, { type Handle, type PKCS11, type TokenInfo } from 'pkcs11js'
import { Pkcs11Error } from './error.ts'
import { invoke, remedyOf } from './errors/return-values.ts'

/**
 * Logs the user in, trying the PIN once and only while that cannot lock the token. Where the answer leaves open whether
 * the PIN was looked at, the token's own count of wrong ones decides.
 *
 * @throws Pkcs11Error PIN_*, LOGIN_REFUSED, TOKEN_NOT_READY and others
 */
export function logIn(pkcs11: PKCS11, slot: Handle, session: Handle, pin: () => string): void {
  refuseRiskyLogin(invoke('C_GetTokenInfo', () => pkcs11.C_GetTokenInfo(slot)))
  try {
    invoke('C_Login', () => pkcs11.C_Login(session, pkcs11js.CKU_USER, pin()))
  } catch (error) {
    const inDoubt = error instanceof Pkcs11Error && ['retry', 'restart'].includes(remedyOf(error))
    if (!inDoubt || !countsWrongPins(pkcs11, slot)) throw error
    const message = `${error.message}, and the token counts a wrong PIN since the last right one`
    throw new Pkcs11Error('PIN_INCORRECT', message, error.detail, { cause: error })
  }
}

const WRONG_PINS = pkcs11js.CKF_USER_PIN_COUNT_LOW | pkcs11js.CKF_USER_PIN_FINAL_TRY | pkcs11js.CKF_USER_PIN_LOCKED

/** @returns false too where the token does not say */
function countsWrongPins(pkcs11: PKCS11, slot: Handle): boolean {
  try {
    return (pkcs11.C_GetTokenInfo(slot).flags & WRONG_PINS) !== 0
  } catch {
    return false
  }
}

function refuseRiskyLogin({ flags, label }: TokenInfo): void {
  const token = label.trim()
  if ((flags & pkcs11js.CKF_USER_PIN_LOCKED) !== 0) {
    throw new Pkcs11Error('PIN_LOCKED', `the user PIN of ${token} is locked`)
  }
  if ((flags & pkcs11js.CKF_USER_PIN_FINAL_TRY) !== 0) {
    throw new Pkcs11Error('PIN_FINAL_TRY', `one more wrong PIN would lock ${token}: log in by hand first`)
  }
  if ((flags & pkcs11js.CKF_USER_PIN_INITIALIZED) === 0) {
    throw new Pkcs11Error('TOKEN_NOT_READY', `${token} has no user PIN`)
  }
}
