import type { Hex } from '../core/bytes.ts'
import type { KeyKind } from './label.ts'
import type { LedgerKeyMessage, SigningScope } from './message.ts'

/** What the device process is opened with. */
export interface HsmChildConfig {
  readonly module: string
  readonly token: string
  readonly ledgerKey: string
  readonly dataKey: string
  /** Without it the ledger key signs nothing. */
  readonly scope: SigningScope | undefined
}

/** The public side of the key that signs for the host. */
export interface LedgerKey {
  readonly label: string
  /** Lower case. */
  readonly address: Hex
  /** The uncompressed point, 65 bytes from 0x04. */
  readonly publicKey: Hex
}

/** A key of Attestry's in the token. */
export interface HsmKey {
  readonly label: string
  readonly kind: KeyKind
  readonly version: number
  /** Of a ledger key only, as is `publicKey`. */
  readonly address?: Hex
  readonly publicKey?: Hex
  /** Attributes that the module states. They are its claim, and prove nothing. */
  readonly claimed: Readonly<Record<'sensitive' | 'extractable' | 'neverExtractable' | 'local' | 'modifiable', boolean>>
  /** Why the key cannot be used: the code of an error, `KEY_AMBIGUOUS` for example. */
  readonly problem?: string
}

/** How the device process keeps plaintext and the PIN. */
export interface SecureMemory {
  readonly kind: 'memfd_secret' | 'locked'
  readonly detail: string
}

interface RegionId {
  /** Chosen by the parent, never twice. */
  readonly id: number
}

/** The calls of the HSM's device process. */
export interface HsmCalls {
  readonly ledgerKey: () => LedgerKey
  readonly sign: (params: LedgerKeyMessage) => { readonly signature: Hex; readonly address: Hex }
  readonly listKeys: () => readonly HsmKey[]
  readonly generateKey: (params: { readonly label: string }) => HsmKey
  readonly openRegion: (params: RegionId & { readonly input: Uint8Array; readonly maxResultBytes?: number }) => void
  readonly encrypt: (params: RegionId & { readonly dataId: Hex }) => void
  readonly decrypt: (params: RegionId & { readonly dataId: Hex }) => void
  readonly resultHash: (params: RegionId & { readonly salt: Hex }) => Hex
  readonly result: (params: RegionId) => Uint8Array
  readonly closeRegion: (params: RegionId) => void
  readonly secureMemory: () => SecureMemory
}
