import { CodedError } from '../core/error.ts'

/** Every reason for which the HSM, or Attestry on its behalf, refuses. */
export type Pkcs11ErrorCode =
  /** The PKCS#11 module is not there, or cannot be loaded. */
  | 'MODULE_MISSING'
  /** No token has this label. */
  | 'TOKEN_NOT_FOUND'
  /** More than one token has this label. */
  | 'TOKEN_AMBIGUOUS'
  /** The token has no user PIN yet. */
  | 'TOKEN_NOT_READY'
  | 'PIN_FILE_MISSING'
  /** Others than its owner may read or write the PIN file. */
  | 'PIN_FILE_UNSAFE'
  /** The PIN file holds no PIN. */
  | 'PIN_FILE_INVALID'
  /** The token refused the PIN. It is never tried again. */
  | 'PIN_INCORRECT'
  | 'PIN_LOCKED'
  /** The next wrong PIN would lock the token, so none is tried. */
  | 'PIN_FINAL_TRY'
  | 'PIN_EXPIRED'
  /** The login was refused, and not for the PIN as far as is known. Tried again it could count as a wrong PIN. */
  | 'LOGIN_REFUSED'
  /** Not `PREFIX/ledger/vN` or `PREFIX/data/vN`. */
  | 'KEY_LABEL_INVALID'
  | 'KEY_NOT_FOUND'
  /** More than one object has this label. */
  | 'KEY_AMBIGUOUS'
  /** A new key's label is taken. */
  | 'KEY_EXISTS'
  /** The key's attributes are not those with which Attestry makes keys. */
  | 'KEY_ATTRIBUTES'
  /** The label now belongs to another key than before. */
  | 'KEY_CHANGED'
  /** The ledger key signs no such message: another chain, contract or function, or malformed. */
  | 'MESSAGE_REFUSED'
  /** A parameter has the wrong length or shape. */
  | 'ARGUMENT_INVALID'
  /** The HSM gave a signature that its own public key does not verify. */
  | 'SIGNATURE_WRONG'
  /** The ciphertext is not authentic for this dataId, or no ciphertext at all. */
  | 'CIPHERTEXT_INVALID'
  /** The result does not fit in the region. */
  | 'RESULT_TOO_LARGE'
  /** The region was closed or wiped, or was lost with its process. */
  | 'REGION_LOST'
  /** No more secret memory, or too many regions are open. */
  | 'REGION_LIMIT'
  /** The session or its handles are no longer valid. */
  | 'SESSION_LOST'
  /** The device is gone or in an unknown state. */
  | 'DEVICE_FAILED'
  /** A call failed for a reason that may pass. */
  | 'CALL_FAILED'
  /** A call was refused for a reason that stays. */
  | 'CALL_REFUSED'
  /** A call failed for a reason that only the module's vendor knows. */
  | 'ANSWER_UNKNOWN'
  /** A defect in the device process. */
  | 'INTERNAL'

/** Where in PKCS#11 an error comes from. */
export interface Pkcs11Fault {
  /** The CK_RV. */
  readonly rv?: number
  /** The function that gave it, `C_Sign` for example. */
  readonly fn?: string
}

/** The HSM refused or failed. Carries neither data nor PINs. */
export class Pkcs11Error extends CodedError<Pkcs11ErrorCode> {
  readonly rv: number | undefined
  readonly fn: string | undefined

  constructor(code: Pkcs11ErrorCode, message: string, fault: Pkcs11Fault = {}, options?: ErrorOptions) {
    super(code, message, options)
    this.rv = fault.rv
    this.fn = fault.fn
  }

  /** What travels beside the code from the device process. */
  get detail(): Pkcs11Fault {
    return { ...(this.rv === undefined ? {} : { rv: this.rv }), ...(this.fn === undefined ? {} : { fn: this.fn }) }
  }
}
