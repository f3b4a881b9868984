import type { Hex } from '../core/bytes.ts'
import type { RevocationRules } from '../evidence/revocation.ts'
import type { Block } from '../ledger/rpc-answer.ts'
import type { LedgerReader } from './ledger-reader.ts'

/** Whom the auditor trusts to say whose a TPM is. */
export interface AuditTrust {
  /** DER certificates of the TPM vendors who are trusted: roots and intermediates. */
  readonly trustAnchors: readonly Uint8Array[]
  /** SHA-256 fingerprints of those roots that belong to vendors of hardware. None by default: every host is *Software*. */
  readonly hardwareRoots?: ReadonlySet<Hex>
  /** What the vendors revoked, and the present time: the lists must be of today, however long ago a host was registered. */
  readonly revocation?: Omit<RevocationRules, 'lists' | 'currentAt'> & {
    /** DER. */
    readonly lists: readonly Uint8Array[]
    readonly currentAt: Date
  }
}

/** What the checks of one audit share. */
export interface AuditContext {
  readonly ledger: LedgerReader
  /** The last block of the audit: all state is read as of its end. */
  readonly to: Block
  readonly trust: AuditTrust
  /** A block, asked for once. */
  blockAt(number: bigint): Promise<Block>
}

/** Makes a context whose `to` is the ledger's latest block. @throws LedgerError */
export async function openContext(ledger: LedgerReader, trust: AuditTrust): Promise<AuditContext> {
  const to = await ledger.latestBlock()
  const blocks = new Map<bigint, Promise<Block>>()
  const blockAt = (number: bigint): Promise<Block> => {
    const known = blocks.get(number)
    if (known !== undefined) return known
    const asked = ledger.blockAt(number)
    blocks.set(number, asked)
    return asked
  }
  return { ledger, to, trust, blockAt }
}
