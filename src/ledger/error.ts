import type { Hex } from '../core/bytes.ts'
import { CodedError } from '../core/error.ts'

/**
 * - `ENDPOINT_INVALID`: the RPC endpoint is not an http or https URL
 * - `UNAVAILABLE`: no answer in time, or a node that is behind what it said before; the same call may succeed later
 * - `RPC_REFUSED`: the node answered with an error that is not a revert
 * - `RPC_INVALID`: the node's answer is malformed, too large, or contradicts the question
 * - `DEPLOYMENT_INVALID`: the deployment file cannot be read or is not one
 * - `CHAIN_ID_MISMATCH`, `CODE_MISMATCH`: the node serves another chain, or other code, than the deployment file says
 * - `DEPLOYMENT_FAILED`: the contracts could not be deployed as they were compiled
 * - `DEPLOYMENT_CHANGED`: a deployment was begun with other settings, or from another account
 * - `DEPLOYMENT_BUSY`: another process has been deploying the same set for too long
 * - `BLOCK_UNKNOWN`: the node has no such block
 * - `REVERTED`: a contract refused; `reason` says how
 * - `TRANSACTION_TOO_LARGE`: over the chain profile's limit; nothing was sent
 * - `TRANSACTION_REFUSED`: the node did not take the transaction and does not know it
 * - `NOT_CONFIRMED`: sent, and not in a block within the time; it may still get there
 * - `TRANSACTION_TYPE_UNSUPPORTED`: the chain has no base fee, and the profile says type 2
 * - `FUNDS_MISSING`: the account cannot pay for what it is to send; nothing was sent
 * - `FEE_TOO_HIGH`: the node asks for an absurd fee
 * - `SIGNATURE_WRONG`: the signer's signature is not one of its address
 * - `CALLDATA_INVALID`: not the calldata of `AuditLog.commit`
 * - `KEY_FILE_UNSAFE`, `KEY_FILE_INVALID`: a key file that others can read, or that holds no key
 */
export type LedgerErrorCode =
  | 'ENDPOINT_INVALID'
  | 'UNAVAILABLE'
  | 'RPC_REFUSED'
  | 'RPC_INVALID'
  | 'DEPLOYMENT_INVALID'
  | 'CHAIN_ID_MISMATCH'
  | 'CODE_MISMATCH'
  | 'DEPLOYMENT_FAILED'
  | 'DEPLOYMENT_CHANGED'
  | 'DEPLOYMENT_BUSY'
  | 'BLOCK_UNKNOWN'
  | 'REVERTED'
  | 'TRANSACTION_TOO_LARGE'
  | 'TRANSACTION_REFUSED'
  | 'NOT_CONFIRMED'
  | 'TRANSACTION_TYPE_UNSUPPORTED'
  | 'FUNDS_MISSING'
  | 'FEE_TOO_HIGH'
  | 'SIGNATURE_WRONG'
  | 'CALLDATA_INVALID'
  | 'KEY_FILE_UNSAFE'
  | 'KEY_FILE_INVALID'

/** A contract's custom error: its name, and its arguments by name. */
export interface RevertReason {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

/** Why something could not be read from the ledger or written to it. */
export class LedgerError extends CodedError<LedgerErrorCode> {
  /** With `REVERTED`: the custom error, where the node told it and the ABI knows it. */
  readonly reason: RevertReason | undefined
  /** With `RPC_REFUSED`: what the node attached to its refusal; for a revert, the revert's data. Untrusted. */
  readonly data: Hex | undefined

  constructor(
    code: LedgerErrorCode,
    message: string,
    options: ErrorOptions & { readonly reason?: RevertReason | undefined; readonly data?: Hex | undefined } = {},
  ) {
    super(code, message, options)
    this.reason = options.reason
    this.data = options.data
  }
}

/** Whether something thrown is a LedgerError with one of some codes. */
export function isLedgerError(thrown: unknown, ...codes: readonly LedgerErrorCode[]): thrown is LedgerError {
  return thrown instanceof LedgerError && codes.includes(thrown.code)
}
