import { fromHex, type Hex } from '../core/bytes.ts'
import { encodeCommit } from '../ledger/commit.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { TransactionSigner } from '../ledger/signer.ts'
import { hashHeader, type BatchHeader } from '../record/batch.ts'
import { qualifyingData } from '../record/binding.ts'
import { leafOf, type OperationRecord } from '../record/record.ts'
import { rootOf } from '../record/tree.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { nextCounter } from './counter.ts'
import type { Batch } from './journal-entry.ts'
import type { Journal } from './journal.ts'
import type { PinnedTpm } from './pinned-tpm.ts'

/** What batches are made with. */
export interface BatchParts {
  readonly hostId: Hex
  readonly selection: PcrSelection
  readonly tpm: Pick<PinnedTpm, 'quote' | 'readCounter' | 'incrementCounter'>
  readonly ledger: Ledger
  readonly signer: TransactionSigner
  readonly journal: Journal
}

/** A record in calldata: 13 words. */
const RECORD_BYTES = 13 * 32
/** What a transaction has beside its records: selector, offsets, header, quote, envelope; a quote has under 600 bytes. */
const OTHER_BYTES = 2048
/** Checking a record costs gas, too: this many stay well below the 16.7 million that one transaction may use (EIP-7825). */
const MAX_RECORDS = 128

/** How many records may be put into one transaction. */
export function batchLimit(maxTransactionBytes: number): number {
  return Math.max(1, Math.min(MAX_RECORDS, Math.floor((maxTransactionBytes - OTHER_BYTES) / RECORD_BYTES)))
}

/**
 * Quotes the TPM for the records at the front, and signs the transaction that commits them. It is in the journal once this
 * returns, and has not been sent.
 *
 * @param records consecutive, at least one; only the first ones with one vmmHash are taken
 * @param prevHead the host's head on the ledger
 * @param nonce that of an attempt that must not be doubled; by default the account's next
 */
export async function buildBatch(
  parts: BatchParts,
  records: readonly OperationRecord[],
  prevHead: Hex,
  nonce?: bigint,
): Promise<Batch> {
  const { hostId, ledger, journal, signer, tpm, selection } = parts
  const [first] = records
  if (first === undefined) throw new RangeError('a batch has at least one record')
  const end = records.findIndex(({ vmmHash }) => vmmHash !== first.vmmHash)
  const taken = end === -1 ? records : records.slice(0, end)
  const nvCounter = await nextCounter(journal, tpm)
  const anchor = await anchorBlock(ledger)
  const header: BatchHeader = {
    hostId,
    firstSeq: first.seq,
    count: taken.length,
    root: rootOf(taken.map(leafOf)),
    prevHead,
    anchorBlock: anchor.number,
    nvCounter,
  }
  const binding = qualifyingData({
    purpose: 'commit',
    chainId: ledger.deployment.chainId,
    contract: ledger.deployment.contracts.auditLog.address,
    hostId,
    payloadHash: hashHeader(header),
    anchorBlockHash: anchor.hash,
  })
  const quote = await tpm.quote(selection, binding)
  const data = encodeCommit(header, taken, quote)
  const signed = await ledger.prepare(signer, { to: 'auditLog', data, ...(nonce === undefined ? {} : { nonce }) })
  const size = fromHex(signed.raw).length
  const { maxTransactionBytes } = ledger.deployment.profile
  if (size > maxTransactionBytes) {
    throw new RangeError(`a batch of ${taken.length} records has ${size} bytes, at most ${maxTransactionBytes} fit`)
  }
  const batch = { hash: signed.hash, raw: signed.raw, nonce: signed.nonce, header }
  journal.addBatch(batch)
  return { ...batch, state: 'signed' }
}

/** The block before the latest: a node that runs a call on top of the latest block itself does not know that one's hash. */
async function anchorBlock(ledger: Ledger): Promise<{ number: bigint; hash: Hex }> {
  const latest = await ledger.latestBlock()
  return latest.number === 0n ? latest : ledger.blockAt(latest.number - 1n)
}
