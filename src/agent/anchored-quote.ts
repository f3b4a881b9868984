import { verifyQuote, type SignedQuote, type VerifiedQuote } from '../evidence/quote.ts'
import type { ContractName } from '../ledger/deployment.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { qualifyingData, type QuoteBinding } from '../record/binding.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import type { Tpm } from '../tpm/tpm.ts'

/** What a quote is to say, and who is to say it. */
export interface QuoteOrder extends Pick<QuoteBinding, 'purpose' | 'hostId' | 'payloadHash'> {
  readonly contract: ContractName
  readonly selection: PcrSelection
  /** SHA-256 part of the AK's qualified name, 32 bytes. */
  readonly akQualifiedName: Uint8Array
}

/** A quote that the ledger will take for the next 256 blocks. */
export interface AnchoredQuote {
  readonly quote: SignedQuote
  readonly verified: VerifiedQuote
  /** The block whose hash it commits to. */
  readonly anchorBlock: bigint
}

/**
 * Quotes, bound to the ledger's latest block (docs/formats.md, "Quote binding"), and verifies what came back.
 *
 * @throws TpmError, EvidenceError, LedgerError
 */
export async function anchoredQuote(
  tpm: Pick<Tpm, 'quote'>,
  ledger: Ledger,
  order: QuoteOrder,
): Promise<AnchoredQuote> {
  const { number: anchorBlock, hash: anchorBlockHash } = await ledger.latestBlock()
  const { purpose, hostId, payloadHash, contract, selection, akQualifiedName } = order
  const { chainId, verifyingContract } = ledger.domain(contract)
  const data = qualifyingData({ purpose, chainId, contract: verifyingContract, hostId, payloadHash, anchorBlockHash })
  const quote = await tpm.quote(selection, data)
  return { quote, verified: await verifyQuote(quote, akQualifiedName, data), anchorBlock }
}
