import type { Hex } from '../core/bytes.ts'
import { INTERFACES } from '../ledger/abi.ts'
import { decodeValues } from '../ledger/abi-value.ts'
import type { ContractName } from '../ledger/deployment.ts'
import type { Block } from '../ledger/rpc-answer.ts'
import type { LedgerReader } from './ledger-reader.ts'

/** What the checks of one audit share. */
export interface AuditContext {
  readonly ledger: LedgerReader
  /** The last block of the audit: all state is read as of its end. */
  readonly to: Block
  readonly trustAnchors: readonly Uint8Array[]
  readonly hardwareRoots: ReadonlySet<Hex>
  /** A block, asked for once. */
  blockAt(number: bigint): Promise<Block>
}

/** Makes a context whose `to` is the ledger's latest block. @throws LedgerError */
export async function openContext(
  ledger: LedgerReader,
  trustAnchors: readonly Uint8Array[],
  hardwareRoots: ReadonlySet<Hex>,
): Promise<AuditContext> {
  const to = await ledger.latestBlock()
  const blocks = new Map<bigint, Promise<Block>>()
  const blockAt = (number: bigint): Promise<Block> => {
    const known = blocks.get(number)
    if (known !== undefined) return known
    const asked = ledger.blockAt(number)
    blocks.set(number, asked)
    return asked
  }
  return { ledger, to, trustAnchors, hardwareRoots, blockAt }
}

/**
 * Asks a contract a question whose answer is one value.
 *
 * @throws LedgerError; RangeError for an answer that is not of the function's type
 */
export async function ask(
  { ledger, to }: AuditContext,
  contract: ContractName,
  name: string,
  args: readonly unknown[],
): Promise<unknown> {
  const abi = INTERFACES[contract]
  const answer = await ledger.call(contract, abi.encodeFunctionData(name, args) as Hex, to.number)
  return Object.values(decodeValues(abi.getFunction(name)?.outputs ?? [], answer))[0]
}
