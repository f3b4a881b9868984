import type { Hex } from '../core/bytes.ts'
import { stringify } from '../record/json.ts'
import { INTERFACES } from './abi.ts'
import { decodeValues } from './abi-value.ts'
import { LedgerError, isLedgerError, type RevertReason } from './error.ts'
import { printable } from './rpc.ts'

/**
 * The custom error that revert data stands for; Solidity's own `Error(string)` and `Panic(uint256)` too.
 *
 * @param data untrusted
 * @returns undefined where it is none that the contracts have
 */
export function revertReason(data: Hex): RevertReason | undefined {
  const selector = data.slice(0, 10).toLowerCase()
  for (const contract of Object.values(INTERFACES)) {
    const error = contract.getError(selector)
    if (error === null) continue
    try {
      return { name: error.name, args: decodeValues(error.inputs, `0x${data.slice(10)}`) }
    } catch {
      return undefined
    }
  }
  return undefined
}

/** The error for a contract's refusal. @param data the revert's data, untrusted */
export function reverted(what: string, data: Hex | undefined, cause?: unknown): LedgerError {
  const reason = data === undefined ? undefined : revertReason(data)
  const said = reason === undefined ? (data?.slice(0, 10) ?? 'for no reason that the node tells') : words(reason)
  return new LedgerError('REVERTED', `${what}: reverted: ${said}`, { cause, reason, data })
}

/** Runs a request and turns a node's refusal that carries revert data into REVERTED. */
export async function orReverted<T>(what: string, request: Promise<T>): Promise<T> {
  try {
    return await request
  } catch (error) {
    if (isLedgerError(error, 'RPC_REFUSED') && error.data !== undefined) throw reverted(what, error.data, error)
    throw error
  }
}

function words({ name, args }: RevertReason): string {
  const list = Object.entries(args).map(
    ([key, value]) => `${key} ${typeof value === 'string' ? value : stringify(value)}`,
  )
  return printable(`${name}(${list.join(', ')})`)
}
