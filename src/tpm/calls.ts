import type { TpmClock } from '../tcg/attest.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { CredentialChallenge } from './credential.ts'
import type { PcrBanks } from './pcr-banks.ts'
import type { EkPlaceName } from './ek-place.ts'
import type { ShownEk } from './endorsement-key.ts'
import type { TpmQuote } from './quote.ts'

/** What the TPM's device process answers. */
export interface TpmCalls {
  endorsementKey(params: undefined): ShownEk
  attestationKey(params: undefined): { public: Uint8Array; name: Uint8Array }
  activateCredential(params: CredentialChallenge): Uint8Array
  readPcrs(params: PcrSelection): ReadonlyMap<number, Uint8Array>
  readPcrBanks(params: undefined): PcrBanks
  extendPcr(params: { readonly pcr: number; readonly digest: Uint8Array }): void
  quote(params: { readonly selection: PcrSelection; readonly qualifyingData: Uint8Array }): TpmQuote
  readClock(params: undefined): TpmClock
  readCounter(params: undefined): bigint
  incrementCounter(params: undefined): bigint
}

/** What the device process needs to know. */
export interface TpmChildConfig {
  readonly tcti: string
  readonly akHandle: number
  readonly nvIndex: number
  /** Which EK, the first of these that has a certificate. */
  readonly ek?: readonly EkPlaceName[]
}
