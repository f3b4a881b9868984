import { equal } from '../core/bytes.ts'
import { Device, type DeviceState } from '../device/device.ts'
import { HASHES } from '../tcg/algorithm.ts'
import type { TpmClock } from '../tcg/attest.ts'
import { PCR_COUNT, requirePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import type { TpmCalls, TpmChildConfig } from './calls.ts'
import type { CredentialChallenge } from './credential.ts'
import type { EkPlaceName } from './ek-place.ts'
import type { ShownEk } from './endorsement-key.ts'
import { reviveTpmError, TpmError } from './error.ts'
import type { LockoutState } from './lockout.ts'
import type { PcrBanks } from './pcr-banks.ts'
import { pcrDigest } from './pcr-digest.ts'
import { reactionTo } from './reactions.ts'
import { requireQuoteOf, type TpmQuote } from './signed-quote.ts'

/** Which TPM, and what of it. */
export interface TpmConfig {
  /** `device:/dev/tpmrm0`, `swtpm:path=SOCKET` and the like: see `parseTcti`. */
  readonly tcti: string
  /** How long one call may take. */
  readonly deadlineMs?: number
  /** Persistent handle of the AK. */
  readonly akHandle?: number
  /** NV index of the counter. */
  readonly nvIndex?: number
  /** Which EK: the first of these that has a certificate. The host's identity follows from it; see `DEFAULT_EK_ORDER`. */
  readonly ek?: readonly EkPlaceName[]
}

/**
 * In the range for persistent primary keys of the endorsement hierarchy (TCG Registry of Reserved TPM 2.0 Handles 1.1,
 * 2.3.1).
 */
export const DEFAULT_AK_HANDLE = 0x81018f00
/** In the range that an owner defines. */
export const DEFAULT_NV_INDEX = 0x01800a77
/** A hardware TPM needs up to a second for making a key, and more for its first self-test. */
const DEFAULT_DEADLINE_MS = 10_000
/** A start loads the process's code and no more: however short a call's deadline is, a busy machine takes seconds for it. */
const START_DEADLINE_MS = 15_000
const MAX_QUALIFYING_DATA = 64

/**
 * A TPM 2.0, driven by a process of its own. Calls run one at a time, in the order in which they were made.
 *
 * Each call may throw TpmError, or DeviceError where the process gave no answer; the next call then starts it anew.
 */
export class Tpm {
  readonly #device: Device<TpmCalls>

  constructor(config: TpmConfig) {
    const { tcti, deadlineMs = DEFAULT_DEADLINE_MS } = config
    const { akHandle = DEFAULT_AK_HANDLE, nvIndex = DEFAULT_NV_INDEX } = config
    this.#device = new Device<TpmCalls>({
      name: 'tpm',
      module: new URL('tpm-child.ts', import.meta.url),
      config: {
        tcti,
        akHandle,
        nvIndex,
        patienceMs: deadlineMs / 2,
        ...(config.ek && { ek: config.ek }),
      } satisfies TpmChildConfig,
      environment: tcti.startsWith('tabrmd') ? busEnvironment() : {},
      deadlineMs,
      startDeadlineMs: Math.max(deadlineMs, START_DEADLINE_MS),
      revive: reviveTpmError,
      isFinal: (error) => error instanceof TpmError && FINAL.has(error.code),
      needsRestart: (error) => reactionTo(error) === 'restart',
      repeatable: REPEATABLE,
    })
  }

  get state(): DeviceState {
    return this.#device.state
  }

  /** The number of the device process that runs now. */
  get pid(): number | undefined {
    return this.#device.pid
  }

  /**
   * The EK, and the certificates that its manufacturer wrote into the TPM. Whether they belong together is the
   * verifier's to find out.
   *
   * @throws TpmError `EK_CERTIFICATE_MISSING`, `EK_CERTIFICATE_MALFORMED`, `EK_TEMPLATE`
   */
  endorsementKey(): Promise<ShownEk> {
    return this.#device.call('endorsementKey', undefined)
  }

  /** The AK (TPMT_PUBLIC) and its name (34 bytes): found at its persistent handle, or made there. */
  attestationKey(): Promise<{ public: Uint8Array; name: Uint8Array }> {
    return this.#device.call('attestationKey', undefined)
  }

  /** Decrypts the secret of a challenge from `makeCredential`. @throws TpmError `CREDENTIAL_REFUSED` */
  activateCredential(challenge: CredentialChallenge): Promise<Uint8Array> {
    return this.#device.call('activateCredential', challenge)
  }

  /** Reads PCRs, all of one moment. Nothing signs them: see `quoteWithPcrs`. @throws TpmError `PCR_NOT_ALLOCATED`, `PCRS_MOVING` */
  async readPcrs(selection: PcrSelection): Promise<ReadonlyMap<number, Uint8Array>> {
    const { pcrs, bank } = requirePcrSelection(selection)
    const values = await this.#device.call('readPcrs', { pcrs, bank })
    const { length } = HASHES[bank]
    return new Map(pcrs.map((pcr, i) => [pcr, values.subarray(i * length, (i + 1) * length)]))
  }

  /** Reads every PCR of every bank, all of one moment. @throws TpmError `PCRS_MOVING` */
  readPcrBanks(): Promise<PcrBanks> {
    return this.#device.call('readPcrBanks', undefined)
  }

  /**
   * Extends a PCR of the SHA-256 bank. After a DeviceError it is not known whether it was extended: read it.
   *
   * @param digest 32 bytes
   */
  async extendPcr(pcr: number, digest: Uint8Array): Promise<void> {
    if (!Number.isInteger(pcr) || pcr < 0 || pcr >= PCR_COUNT) {
      throw new RangeError(`expected a PCR from 0 to ${PCR_COUNT - 1}, found ${pcr}`)
    }
    if (digest.length !== HASHES.sha256.length) {
      throw new RangeError(`expected a digest of ${HASHES.sha256.length} bytes, found ${digest.length}`)
    }
    await this.#device.call('extendPcr', { pcr, digest })
  }

  /**
   * Lets the AK sign the selected PCRs. Where they move meanwhile the quote is of the moment at which the TPM made it:
   * the caller decides whether it will do. It was held against what was asked for, and its signature verified.
   *
   * @param qualifyingData at most 64 bytes, the quote's extraData
   * @throws TpmError `RESPONSE_UNEXPECTED` where it is another quote, or was changed on its way
   */
  async quote(selection: PcrSelection, qualifyingData: Uint8Array): Promise<TpmQuote> {
    requireQualifyingData(qualifyingData)
    const quote = await this.#device.call('quote', { selection: requirePcrSelection(selection), qualifyingData })
    requireQuoteOf(quote, selection, qualifyingData)
    return quote
  }

  /**
   * Lets the AK sign the selected PCRs, and gives the values that it has signed. Unlike those of `readPcrs`, whose
   * answer nothing protects on its way, these are the TPM's as surely as the quote is.
   *
   * @param qualifyingData at most 64 bytes
   * @throws TpmError `PCRS_MOVING` where they changed during each attempt, `PCR_NOT_ALLOCATED`
   */
  async quoteWithPcrs(
    selection: PcrSelection,
    qualifyingData: Uint8Array,
  ): Promise<{ quote: TpmQuote; values: ReadonlyMap<number, Uint8Array> }> {
    requireQualifyingData(qualifyingData)
    const params = { selection: requirePcrSelection(selection), qualifyingData }
    const { quote, values } = await this.#device.call('quoteWithPcrs', params)
    const signed = requireQuoteOf(quote, selection, qualifyingData)
    if (!equal(signed.pcrDigest, pcrDigest(values))) {
      throw new TpmError('RESPONSE_UNEXPECTED', 'expected the values that were quoted, found others')
    }
    return { quote, values }
  }

  /** Where the TPM stands with failed authorisations, and its limits. Nothing signs it. */
  readLockout(): Promise<LockoutState> {
    return this.#device.call('readLockout', undefined)
  }

  /**
   * Reads the clock and the counts of resets and restarts. Nothing signs it: what is to be proven comes from a quote.
   */
  readClock(): Promise<TpmClock> {
    return this.#device.call('readClock', undefined)
  }

  /**
   * The NV counter: 0n before the first increment, and where there is none.
   *
   * @param hostId SHA-256 of the EK whose TPM it must be, 32 bytes: its value is then protected on its way by a session salted
   *   to that EK. Where it is left out, nothing shows that the value is the TPM's.
   * @throws TpmError `NV_UNSUITABLE`, `EK_MISMATCH`
   */
  readCounter(hostId?: Uint8Array): Promise<bigint> {
    return this.#device.call('readCounter', { hostId })
  }

  /**
   * Adds one to the NV counter and returns its new value. After a DeviceError it is not known whether it was
   * incremented; doing it again is harmless, since it may skip values.
   *
   * @param hostId as for `readCounter`
   * @throws TpmError `NV_UNSUITABLE`, `EK_MISMATCH`
   */
  incrementCounter(hostId?: Uint8Array): Promise<bigint> {
    return this.#device.call('incrementCounter', { hostId })
  }

  /** Lets the call that is running finish, refuses those that wait, and ends the process. */
  close(): Promise<void> {
    return this.#device.close()
  }
}

const FINAL: ReadonlySet<string> = new Set(['LIBRARY_MISSING', 'LIBRARY_VERSION'])
/** They only read: made again they do no harm. */
const REPEATABLE: ReadonlySet<string> = new Set<keyof TpmCalls>([
  'endorsementKey',
  'attestationKey',
  'readPcrs',
  'readPcrBanks',
  'quote',
  'quoteWithPcrs',
  'readClock',
  'readLockout',
  'readCounter',
])

function requireQualifyingData({ length }: Uint8Array): void {
  if (length <= MAX_QUALIFYING_DATA) return
  throw new RangeError(`expected at most ${MAX_QUALIFYING_DATA} bytes of qualifying data, found ${length}`)
}

/** Where the message bus of tpm2-abrmd is, if not where it always is (D-Bus Specification, "Well-known Message Bus Instances"). */
function busEnvironment(): Record<string, string> {
  const names = ['DBUS_SYSTEM_BUS_ADDRESS', 'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR']
  const entries = names.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))
}
