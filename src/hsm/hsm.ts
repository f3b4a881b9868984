import type { Writable } from 'node:stream'
import { type Hex, fromHex } from '../core/bytes.ts'
import { Device, type DeviceState } from '../device/device.ts'
import { DeviceError } from '../device/error.ts'
import type { HsmCalls, HsmChildConfig, HsmKey, LedgerKey, SecureMemory } from './calls.ts'
import { Pkcs11Error, type Pkcs11ErrorCode, type Pkcs11Fault } from './error.ts'
import { remedyOf } from './errors/return-values.ts'
import type { LedgerKeyMessage, SigningScope } from './message.ts'
import { readPinFile } from './pin-file.ts'

export type { HsmKey, LedgerKey, SecureMemory } from './calls.ts'
export type { LedgerKeyMessage, SigningScope } from './message.ts'

/** Which token to use, and which keys in it. */
export type HsmConfig = HsmToken & PinSource

/** Where the user PIN comes from: exactly one of the two. */
export type PinSource =
  | {
      /** A file that only its owner may read; its content is the user PIN. */
      readonly pinFile: string
    }
  | {
      /** Lets another process write the user PIN to the stream's descriptor, at each start of the device process. */
      readonly handOverPin: (to: Writable) => Promise<void>
    }

/** A token, and the keys in it. */
export interface HsmToken {
  /** The path of the PKCS#11 module. */
  readonly module: string
  /** The token's label. */
  readonly token: string
  /** What NSS's module wants to be told when it is loaded. */
  readonly parameters?: string
  /** What the module needs in its environment. */
  readonly environment?: Readonly<Record<string, string>>
  /** How long each call may take. 10 s where it is left out. */
  readonly deadlineMs?: number
  /** The label of the key that signs for the host, `attestry/ledger/v1` for example. */
  readonly ledgerKey: string
  /** The label of the key that encrypts, `attestry/data/v1` for example. Older versions still decrypt. */
  readonly dataKey: string
  /** What the ledger key may sign for. Where it is left out it signs nothing. */
  readonly scope?: SigningScope
}

/**
 * Secret pages in the device process that hold one operation's input and result. They are wiped when the region is
 * closed, when an operation in it fails, and when the process ends: REGION_LOST from then on.
 */
export interface SecureRegion {
  /** @throws Pkcs11Error, DeviceError */
  encrypt(dataId: Hex): Promise<void>
  /** @throws Pkcs11Error CIPHERTEXT_INVALID, KEY_NOT_FOUND, REGION_LOST and others, DeviceError */
  decrypt(dataId: Hex): Promise<void>
  /** `resultHash` of docs/formats.md, computed without taking the result out. */
  resultHash(salt: Hex): Promise<Hex>
  /** A copy of the result: the caller's to wipe. */
  result(): Promise<Uint8Array>
  /** Wipes and unmaps. Does nothing the second time, nor when the pages went with their process. */
  close(): Promise<void>
}

const DEADLINE_MS = 10_000

/**
 * The HSM: a PKCS#11 token behind a device process.
 *
 * Nothing is opened before the first call. The PIN is tried once: after PIN_INCORRECT, PIN_LOCKED or PIN_FINAL_TRY
 * every later call fails with that same error. Errors that a fresh session may cure are tried again inside; what
 * comes out after that is for the caller to judge (`errors/return-values.ts`).
 */
export class Hsm {
  readonly #device: Device<HsmCalls>
  #pinned: Hex | undefined
  #regions = 0

  constructor(config: HsmConfig) {
    const { module, token, ledgerKey, dataKey, scope } = config
    this.#device = new Device<HsmCalls>({
      name: 'hsm',
      module: new URL('hsm-child.ts', import.meta.url),
      config: { module, token, ledgerKey, dataKey, scope } satisfies HsmChildConfig,
      ...('pinFile' in config ? { secret: () => readPinFile(config.pinFile) } : { handOver: config.handOverPin }),
      environment: config.environment ?? {},
      deadlineMs: config.deadlineMs ?? DEADLINE_MS,
      revive: (code, message, detail) => new Pkcs11Error(code as Pkcs11ErrorCode, message, detail as Pkcs11Fault),
      isFinal: (error) => remedyOf(error) === 'stop',
      // A session that the process could not reopen by itself needs a fresh process too.
      needsRestart: (error) => ['restart', 'reopen'].includes(remedyOf(error)),
    })
  }

  get state(): DeviceState {
    return this.#device.state
  }

  /** The device process's number, while there is one. */
  get pid(): number | undefined {
    return this.#device.pid
  }

  /**
   * The ledger key, after it has signed something.
   *
   * @throws Pkcs11Error KEY_CHANGED when it is another than before, and others
   */
  async ledgerKey(): Promise<LedgerKey> {
    const key = await this.#device.call('ledgerKey', undefined)
    this.#pin(key.address)
    return key
  }

  /**
   * Signs with the ledger key. The device process builds the digest itself, and only of what is in the scope.
   *
   * @returns r ‖ s ‖ v, 65 bytes, s ≤ N/2, v 27 or 28, verified against the key's public half
   * @throws Pkcs11Error MESSAGE_REFUSED
   */
  async sign(message: LedgerKeyMessage): Promise<Hex> {
    const { signature, address } = await this.#device.call('sign', message)
    this.#pin(address)
    return signature
  }

  /** Attestry's keys in the token, usable or not. */
  listKeys(): Promise<readonly HsmKey[]> {
    return this.#device.call('listKeys', undefined)
  }

  /** Makes a key whose kind and version its label says. @throws Pkcs11Error KEY_LABEL_INVALID, KEY_EXISTS */
  generateKey(label: string): Promise<HsmKey> {
    return this.#device.call('generateKey', { label })
  }

  /**
   * Copies the input into secret pages. The input itself is the caller's to wipe.
   *
   * @param maxResultBytes room for the result; what encrypting or decrypting needs where it is left out
   * @throws Pkcs11Error REGION_LIMIT
   */
  async openRegion(input: Uint8Array, maxResultBytes?: number): Promise<SecureRegion> {
    const id = ++this.#regions
    const device = this.#device
    await device.call('openRegion', { id, input, ...(maxResultBytes === undefined ? {} : { maxResultBytes }) })
    const { pid } = device
    return {
      encrypt: async (dataId) => device.call('encrypt', { id, dataId: demandBytes32('dataId', dataId) }),
      decrypt: async (dataId) => device.call('decrypt', { id, dataId: demandBytes32('dataId', dataId) }),
      resultHash: async (salt) => device.call('resultHash', { id, salt: demandBytes32('salt', salt) }),
      result: () => device.call('result', { id }),
      async close() {
        if (device.pid !== pid) return
        try {
          await device.call('closeRegion', { id })
        } catch (error) {
          // Where the process is gone its pages are, too.
          if (!(error instanceof DeviceError)) throw error
        }
      },
    }
  }

  /** What kind of pages hold plaintext. */
  secureMemory(): Promise<SecureMemory> {
    return this.#device.call('secureMemory', undefined)
  }

  /** Returns when the device process is gone. */
  close(): Promise<void> {
    return this.#device.close()
  }

  #pin(address: Hex): void {
    this.#pinned ??= address
    if (this.#pinned === address) return
    throw new Pkcs11Error('KEY_CHANGED', `the ledger key was ${this.#pinned}, and is ${address} now`)
  }
}

function demandBytes32(name: string, text: Hex): Hex {
  try {
    fromHex(text, 32)
    return text
  } catch (cause) {
    throw new Pkcs11Error('ARGUMENT_INVALID', `${name}: expected 32 bytes of hexadecimal`, {}, { cause })
  }
}
