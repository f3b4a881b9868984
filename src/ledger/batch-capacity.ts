import type { BatchHeader } from '../record/batch.ts'
import { ZERO_HASH } from '../record/hash.ts'
import type { OperationRecord } from '../record/record.ts'
import { encodeCommit } from './commit.ts'
import type { ChainProfile } from './deployment.ts'

/** How many records one batch may have on a chain. */
export interface BatchCapacity {
  /** As many as fit into the largest transaction, with four contexts. */
  readonly byTransactionSize: number
  /** The gas that one transaction may use: a block's, or what newer chains allow (EIP-7825). */
  readonly transactionGas: number
  /** As many as fit into that gas. */
  readonly byGas: number
  /** The smaller of the two. */
  readonly records: number
}

/** Gas of a batch beside its records, with the quote, and for each record, its calldata at EIP-7623's floor; rounded up (docs/contracts.md, "Gas"). */
const BATCH_GAS = { precompile: 260_000, solidity: 500_000 }
const RECORD_GAS = 5_200
/** The most gas that a transaction may ask for on newer chains (EIP-7825), which have the precompile since the same fork (EIP-7951). */
const TRANSACTION_GAS = 2 ** 24
/** What a transaction has beside its calldata: envelope, fees, signature. */
const ENVELOPE_BYTES = 300
const CONTEXTS = 4

/** How many records fit into one batch there, each context with as many as any other. */
export function batchCapacity(
  { maxTransactionBytes }: ChainProfile,
  chain: { readonly blockGasLimit: bigint; readonly p256Precompile: boolean },
): BatchCapacity {
  const [some, more] = [CONTEXTS, 2 * CONTEXTS].map((count) => calldataBytes(count))
  const perRecord = ((more ?? 0) - (some ?? 0)) / CONTEXTS
  const rest = maxTransactionBytes - ENVELOPE_BYTES - (some ?? 0)
  const byTransactionSize = rest < 0 ? 0 : CONTEXTS + Math.floor(rest / perRecord)
  const blockGas = Number(chain.blockGasLimit)
  const gas = chain.p256Precompile ? Math.min(blockGas, TRANSACTION_GAS) : blockGas
  const base = chain.p256Precompile ? BATCH_GAS.precompile : BATCH_GAS.solidity
  const byGas = Math.max(0, Math.floor((gas - base) / RECORD_GAS))
  return { byTransactionSize, transactionGas: gas, byGas, records: Math.min(byTransactionSize, byGas) }
}

function calldataBytes(count: number): number {
  const header: BatchHeader = {
    ...{ hostId: ZERO_HASH, firstSeq: 0n, count, root: ZERO_HASH, prevHead: ZERO_HASH, anchorBlock: 0n, nvCounter: 0n },
  }
  const records = Array.from({ length: count }, (_, i): OperationRecord => {
    const [dataId, policyBlock, seq] = [ZERO_HASH, BigInt(i % CONTEXTS), BigInt(i)]
    const ids = {
      hostId: ZERO_HASH,
      vmmHash: ZERO_HASH,
      operationId: ZERO_HASH,
      requestHash: ZERO_HASH,
      grantId: ZERO_HASH,
    }
    const rest = { requester: `0x${'00'.repeat(20)}` as const, dataHash: ZERO_HASH, resultHash: ZERO_HASH }
    return { ...ids, ...rest, dataId, policyBlock, seq, status: 0, timestamp: 0n }
  })
  const quote = { akPublic: new Uint8Array(88), attest: new Uint8Array(151), signature: new Uint8Array(64) }
  return (encodeCommit(header, records, quote).length - 2) / 2
}
