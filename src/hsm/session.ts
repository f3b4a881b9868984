import type { Handle } from 'pkcs11js'
import { type Hex, equal } from '../core/bytes.ts'
import type { HsmChildConfig, HsmKey } from './calls.ts'
import { decrypt, encrypt, keyVersionOf } from './data-cipher.ts'
import { Pkcs11Error } from './error.ts'
import { remedyOf } from './errors/return-values.ts'
import { type FoundLedgerKey, describeNewKey, findDataKey, findLedgerKey, generateKey, listKeys } from './keys.ts'
import { formatLabel, parseLabel } from './label.ts'
import { type LedgerKeyMessage, digestOf } from './message.ts'
import { sign } from './sign.ts'
import { Token } from './token.ts'

/**
 * What the device process does with its token: keys are found when they are first needed, kept, and found again after
 * each reopening. Errors are remedied here as far as that can be done inside of the process.
 */
export class HsmSession {
  readonly #config: HsmChildConfig
  readonly #token: Token
  readonly #dataKeys = new Map<number, Handle>()
  #ledgerKey: FoundLedgerKey | undefined
  /** The ledger key's public half as it was first seen: a label must not come to mean another key. */
  #pinned: Uint8Array | undefined

  /** @throws Pkcs11Error as `Token` does, and KEY_LABEL_INVALID */
  constructor(config: HsmChildConfig, pin: () => string) {
    parseLabel(config.ledgerKey, 'ledger')
    parseLabel(config.dataKey, 'data')
    this.#config = config
    this.#token = new Token(config, pin)
  }

  ledgerKey(): FoundLedgerKey {
    return this.#attempt(true, () => this.#findLedgerKey())
  }

  sign(message: LedgerKeyMessage): { signature: Hex; address: Hex } {
    const { scope } = this.#config
    if (scope === undefined) throw new Pkcs11Error('MESSAGE_REFUSED', 'this process was given nothing to sign for')
    const digest = digestOf(message, scope)
    return this.#attempt(true, () => {
      const key = this.#findLedgerKey()
      return { signature: sign(this.#token, key, digest), address: key.address }
    })
  }

  listKeys(): readonly HsmKey[] {
    return this.#attempt(true, () => listKeys(this.#token))
  }

  generateKey(label: string): HsmKey {
    this.#attempt(false, () => generateKey(this.#token, label))
    // Apart: what fails from here on must not have the key made once more.
    return this.#attempt(true, () => describeNewKey(this.#token, label))
  }

  /** Encrypts with the data key of the configured version. @returns the length of the result */
  encrypt(dataId: Hex, plaintext: Buffer, result: Buffer): number {
    return this.#attempt(true, () => {
      const { version } = parseLabel(this.#config.dataKey)
      return encrypt(this.#token, { handle: this.#findDataKey(version), version }, dataId, plaintext, result)
    })
  }

  /** Decrypts with the data key that the ciphertext names. @returns the length of the result */
  decrypt(dataId: Hex, ciphertext: Buffer, result: Buffer): number {
    return this.#attempt(false, () => {
      const version = keyVersionOf(ciphertext)
      return decrypt(this.#token, { handle: this.#findDataKey(version), version }, dataId, ciphertext, result)
    })
  }

  #findLedgerKey(): FoundLedgerKey {
    const key = (this.#ledgerKey ??= findLedgerKey(this.#token, this.#config.ledgerKey))
    this.#pinned ??= key.publicKey
    if (!equal(this.#pinned, key.publicKey)) {
      this.#ledgerKey = undefined
      throw new Pkcs11Error('KEY_CHANGED', `${key.label} is another key than before`)
    }
    return key
  }

  #findDataKey(version: number): Handle {
    const label = formatLabel({ ...parseLabel(this.#config.dataKey), version })
    if (version === 0) throw new Pkcs11Error('KEY_NOT_FOUND', `no key is labelled ${label}`)
    const handle = this.#dataKeys.get(version) ?? findDataKey(this.#token, label)
    this.#dataKeys.set(version, handle)
    return handle
  }

  /** @param repeatable whether making the call once more changes nothing and reveals nothing */
  #attempt<T>(repeatable: boolean, work: () => T): T {
    try {
      return work()
    } catch (error) {
      const remedy = remedyOf(error)
      if (remedy === 'reopen' || (remedy === 'retry' && repeatable)) {
        this.#forgetKeys()
        this.#token.reopen()
        return this.#cleaned(work)
      }
      throw this.#cleanedUp(error)
    }
  }

  #cleaned<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw this.#cleanedUp(error)
    }
  }

  /** Leaves nothing of a failed operation behind. @returns the error itself: what fails here is for the next call to mend */
  #cleanedUp(error: unknown): unknown {
    // Where nothing came from the module nothing of an operation is left in it.
    if (!(error instanceof Pkcs11Error) || error.rv === undefined) return error
    if (remedyOf(error) === 'none') {
      try {
        this.#token.renewSession()
        return error
      } catch {
        // Then it is opened anew as a whole.
      }
    }
    this.#forgetKeys()
    this.#token.abandonSession()
    return error
  }

  #forgetKeys(): void {
    this.#ledgerKey = undefined
    this.#dataKeys.clear()
  }
}
