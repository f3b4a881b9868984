import type { TpmClock } from '../tcg/attest.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { CredentialChallenge } from './credential.ts'
import type { EkPlaceName } from './ek-place.ts'
import type { ShownEk } from './endorsement-key.ts'
import type { LockoutState } from './lockout.ts'
import type { PcrBanks } from './pcr-banks.ts'
import type { TpmQuote } from './signed-quote.ts'

/** What the TPM's device process answers. */
export interface TpmCalls {
  endorsementKey(params: undefined): ShownEk
  attestationKey(params: undefined): { public: Uint8Array; name: Uint8Array }
  activateCredential(params: CredentialChallenge): Uint8Array
  /** The values one after the other, in the order of the selection: a message of one part is the quickest. */
  readPcrs(params: PcrSelection): Uint8Array
  readPcrBanks(params: undefined): PcrBanks
  extendPcr(params: { readonly pcr: number; readonly digest: Uint8Array }): void
  quote(params: { readonly selection: PcrSelection; readonly qualifyingData: Uint8Array }): TpmQuote
  quoteWithPcrs(params: { readonly selection: PcrSelection; readonly qualifyingData: Uint8Array }): {
    quote: TpmQuote
    values: ReadonlyMap<number, Uint8Array>
  }
  readClock(params: undefined): TpmClock
  readLockout(params: undefined): LockoutState
  readCounter(params: CounterOf): bigint
  incrementCounter(params: CounterOf): bigint
}

/** Whose counter it must be shown to be; of any TPM where it is left out. */
export interface CounterOf {
  readonly hostId?: Uint8Array | undefined
}

/** What the device process needs to know. */
export interface TpmChildConfig {
  readonly tcti: string
  readonly akHandle: number
  readonly nvIndex: number
  /** Which EK, the first of these that has a certificate. */
  readonly ek?: readonly EkPlaceName[]
  /** How long a command is sent again while the TPM says that it has not begun. */
  readonly patienceMs: number
}
