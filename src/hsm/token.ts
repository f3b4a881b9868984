import { existsSync } from 'node:fs'
import pkcs11js, { type Handle, type PKCS11 } from 'pkcs11js'
import { Pkcs11Error } from './error.ts'
import { invoke, remedyOf } from './errors/return-values.ts'
import { logIn } from './login.ts'

/** Which token to open. */
export interface TokenConfig {
  /** The module's path. */
  readonly module: string
  readonly token: string
  /** What `C_Initialize` of NSS's module wants to be told: where its database is. */
  readonly parameters?: string
}

/** One module, one token, one session: the user is logged in, and the session is read-only. */
export class Token {
  readonly #config: TokenConfig
  readonly #pin: () => string
  readonly #pkcs11: PKCS11
  #slot: Handle | undefined
  #session: Handle | undefined

  /**
   * Loads the module, finds the token by its label and logs in, trying the PIN once.
   *
   * @param pin gives the PIN at each login; the binding needs it as a string, which cannot be wiped
   * @throws Pkcs11Error MODULE_MISSING, TOKEN_NOT_FOUND, TOKEN_AMBIGUOUS, TOKEN_NOT_READY, PIN_*,
   *   DEVICE_FAILED when the module answers anything else
   */
  constructor(config: TokenConfig, pin: () => string) {
    this.#config = config
    this.#pin = pin
    this.#pkcs11 = load(config.module)
    this.#open()
  }

  /** Finalises the module and opens everything anew. All handles that were found before are void. */
  reopen(): void {
    try {
      this.#pkcs11.C_Finalize()
    } catch {
      // It may be in any state; what counts is what C_Initialize says.
    }
    this.#open()
  }

  /** Ends the module's work, so that it may be loaded anew. */
  close(): void {
    this.#session = undefined
    invoke('C_Finalize', () => this.#pkcs11.C_Finalize())
    this.#pkcs11.close()
  }

  /** Calls one function of the module, in the session. */
  call<T>(fn: keyof PKCS11, call: (pkcs11: PKCS11, session: Handle) => T): T {
    const session = this.#session
    if (session === undefined) throw new Pkcs11Error('SESSION_LOST', 'there is no session')
    return invoke(fn, () => call(this.#pkcs11, session))
  }

  /**
   * Replaces the session, in which an operation may have been left half done. The login and the handles stay.
   *
   * @throws Pkcs11Error and leaves no session: the next call reopens
   */
  renewSession(): void {
    const old = this.#session
    this.#session = undefined
    const renewed = this.#openSession(0)
    if (old !== undefined) invoke('C_CloseSession', () => this.#pkcs11.C_CloseSession(old))
    this.#session = renewed
  }

  /**
   * Fails where the login was lost: a session without one finds no private object, and says nothing of it.
   *
   * @throws Pkcs11Error SESSION_LOST
   */
  requireLogin(): void {
    const { state } = this.call('C_GetSessionInfo', (pkcs11, session) => pkcs11.C_GetSessionInfo(session))
    if (state === CKS_RO_USER_FUNCTIONS || state === CKS_RW_USER_FUNCTIONS) return
    throw new Pkcs11Error('SESSION_LOST', `the session is in the state ${state}, no longer logged in`)
  }

  /** Gives up the session and what was found in it: the next call reopens. */
  abandonSession(): void {
    this.#session = undefined
  }

  /** Calls one function of the module in a session that may write to the token, and closes it. */
  withWritableSession<T>(fn: keyof PKCS11, call: (pkcs11: PKCS11, session: Handle) => T): T {
    const session = this.#openSession(pkcs11js.CKF_RW_SESSION)
    try {
      return invoke(fn, () => call(this.#pkcs11, session))
    } finally {
      this.#closeSession(session)
    }
  }

  /** What was done in the session is done, whether it can be closed or not. */
  #closeSession(session: Handle): void {
    try {
      invoke('C_CloseSession', () => this.#pkcs11.C_CloseSession(session))
    } catch (error) {
      if (!(error instanceof Pkcs11Error)) throw error
      this.abandonSession()
    }
  }

  /** What the token can do, by its own word. */
  mechanisms(): readonly { readonly type: number; readonly flags: number }[] {
    const slot = this.#slot
    if (slot === undefined) throw new Pkcs11Error('SESSION_LOST', 'there is no token')
    return invoke('C_GetMechanismList', () => this.#pkcs11.C_GetMechanismList(slot)).map((type) => {
      const { flags } = invoke('C_GetMechanismInfo', () => this.#pkcs11.C_GetMechanismInfo(slot, type))
      return { type, flags }
    })
  }

  /** What library and token call themselves. */
  describe(): { readonly library: string; readonly manufacturer: string; readonly token: string } {
    const { libraryDescription, libraryVersion, manufacturerID } = invoke('C_GetInfo', () => this.#pkcs11.C_GetInfo())
    const version = `${libraryVersion.major}.${libraryVersion.minor}`
    return {
      library: `${unpadded(libraryDescription)} ${version}`,
      manufacturer: unpadded(manufacturerID),
      token: this.#config.token,
    }
  }

  #open(): void {
    this.#session = undefined
    try {
      for (let look = 1; !this.#openToken(look === LOOKS); look++) Atomics.wait(NOTHING, 0, 0, LOOK_AGAIN_MS)
    } catch (error) {
      // Reopening is the remedy, and has just failed.
      const hopeless = error instanceof Pkcs11Error && ['reopen', 'retry', 'renew', 'none'].includes(remedyOf(error))
      if (!hopeless) throw error
      throw new Pkcs11Error('DEVICE_FAILED', `the token cannot be opened: ${error.message}`, error.detail, {
        cause: error,
      })
    }
  }

  /** @returns whether the token was there. @param last whether it has to be */
  #openToken(last: boolean): boolean {
    // Without this flag the binding lets modules with threads of their own corrupt memory.
    const { parameters } = this.#config
    const options = { flags: pkcs11js.CKF_OS_LOCKING_OK }
    // The binding drops the last character of the parameters.
    const all = parameters === undefined ? options : { ...options, libraryParameters: `${parameters} ` }
    invoke('C_Initialize', () => this.#pkcs11.C_Initialize(all))
    try {
      this.#slot = this.#findSlot()
    } catch (error) {
      if (last || !(error instanceof Pkcs11Error) || error.code !== 'TOKEN_NOT_FOUND') throw error
      invoke('C_Finalize', () => this.#pkcs11.C_Finalize())
      return false
    }
    this.#session = this.#openSession(0)
    const slot = this.#slot
    const session = this.#session
    logIn(this.#pkcs11, slot, session, this.#pin)
    return true
  }

  #findSlot(): Handle {
    const { token } = this.#config
    const slots = invoke('C_GetSlotList', () => this.#pkcs11.C_GetSlotList(true))
    const found = slots.filter((slot) => this.#labelOf(slot) === token)
    const [slot] = found
    if (slot === undefined) throw new Pkcs11Error('TOKEN_NOT_FOUND', `no token is labelled ${token}`)
    if (found.length > 1) throw new Pkcs11Error('TOKEN_AMBIGUOUS', `${found.length} tokens are labelled ${token}`)
    return slot
  }

  #labelOf(slot: Handle): string | undefined {
    try {
      // Padded to 32 characters with blanks (PKCS#11 3.0, CK_TOKEN_INFO).
      return unpadded(this.#pkcs11.C_GetTokenInfo(slot).label)
    } catch {
      // Another slot's token may be broken or just being removed: that is no reason to refuse ours.
      return undefined
    }
  }

  #openSession(flags: number): Handle {
    const slot = this.#slot
    if (slot === undefined) throw new Pkcs11Error('SESSION_LOST', 'there is no token')
    return invoke('C_OpenSession', () => this.#pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | flags))
  }
}

/** Texts are padded with blanks (PKCS#11 3.0, 3.1). */
function unpadded(text: string): string {
  return text.replace(/[ \0]+$/, '')
}

/**
 * A token may be missing from the list for a moment: SoftHSM writes a token's file anew at each login of any process, and
 * leaves out a token that it cannot read just then.
 */
const [LOOKS, LOOK_AGAIN_MS] = [3, 25]
const NOTHING = new Int32Array(new SharedArrayBuffer(4))

/** Of CK_STATE (PKCS#11 3.0, 3.3): the states of a session in which the user is logged in. */
const [CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS] = [1, 3]

function load(path: string): PKCS11 {
  if (!existsSync(path)) throw new Pkcs11Error('MODULE_MISSING', `there is no PKCS#11 module ${path}`)
  const pkcs11 = new pkcs11js.PKCS11()
  try {
    pkcs11.load(path)
  } catch (cause) {
    throw new Pkcs11Error('MODULE_MISSING', `${path} cannot be loaded as a PKCS#11 module`, {}, { cause })
  }
  return pkcs11
}
