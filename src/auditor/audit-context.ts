import type { Hex } from '../core/bytes.ts'
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
