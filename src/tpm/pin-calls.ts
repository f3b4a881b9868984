import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { PinOpening } from './open-pin.ts'
import type { PinApproval } from './pin-approval.ts'
import type { SealedPin } from './sealed-pin.ts'

/** What the process answers that seals and opens the PIN. It lives for one call. */
export interface PinCalls {
  /** Seals the secret that the process was started with. */
  seal(params: { readonly approver: Uint8Array; readonly ekName: Uint8Array }): SealedPin
  /** Opens the PIN, and writes it to `OUTLET_FD` where it is to be delivered: never to its parent. */
  open(params: OpenPinParams): PinOpening
}

export interface OpenPinParams {
  readonly sealed: SealedPin
  readonly selection: PcrSelection
  readonly approvals: readonly PinApproval[]
  readonly deliver: boolean
}

/** What the process needs to know. */
export interface PinChildConfig {
  readonly tcti: string
  readonly patienceMs: number
}
