import { fromHex, type Hex } from '../core/bytes.ts'
import { verifyQuote, type VerifiedQuote } from '../evidence/quote.ts'
import type { ContractName } from '../ledger/deployment.ts'
import type { QuoteOnLedger, VmmProposed } from '../ledger/event.ts'
import { qualifyingData, type QuotePurpose } from '../record/binding.ts'
import type { AuditContext } from './audit-context.ts'

/** A quote on the ledger, and all that it must commit to. */
export interface LedgerQuote {
  readonly quote: QuoteOnLedger
  /** SHA-256 part of the qualified name of the host's AK at that time. */
  readonly akQualifiedName: Hex
  readonly purpose: QuotePurpose
  readonly contract: ContractName
  readonly hostId: Hex
  readonly payloadHash: Hex
  readonly anchorBlock: bigint
}

/**
 * Verifies a quote against the ledger: signed by the AK, over this purpose, chain, contract, host, payload and the hash of its
 * anchor block, which is asked of the node anew.
 *
 * @throws EvidenceError; LedgerError where the node does not give the anchor block
 */
export async function verifyLedgerQuote(context: AuditContext, claim: LedgerQuote): Promise<VerifiedQuote> {
  const { deployment } = context.ledger
  const anchor = await context.blockAt(claim.anchorBlock)
  const binding = qualifyingData({
    purpose: claim.purpose,
    chainId: deployment.chainId,
    contract: deployment.contracts[claim.contract].address,
    hostId: claim.hostId,
    payloadHash: claim.payloadHash,
    anchorBlockHash: anchor.hash,
  })
  const { akPublic, attest, signature } = claim.quote
  const signed = { akPublic: fromHex(akPublic), attest: fromHex(attest), signature: fromHex(signature) }
  return verifyQuote(signed, fromHex(claim.akQualifiedName), binding)
}

/**
 * Verifies the quote with which a host proposed or proved its VMM.
 *
 * @param akQualifiedName SHA-256 part of the qualified name of the host's AK at that time
 * @param call the arguments of `propose`; untrusted
 * @throws EvidenceError; LedgerError where the node does not give the anchor block
 */
export function verifyProposalQuote(
  context: AuditContext,
  akQualifiedName: Hex,
  { hostId, manifestHash }: Pick<VmmProposed['args'], 'hostId' | 'manifestHash'>,
  call: Readonly<Record<string, unknown>>,
): Promise<VerifiedQuote> {
  const { anchorBlock, quote } = call as { readonly anchorBlock: bigint; readonly quote: QuoteOnLedger }
  return verifyLedgerQuote(context, {
    quote,
    akQualifiedName,
    purpose: 'vmm',
    contract: 'vmmRegistry',
    hostId,
    payloadHash: manifestHash,
    anchorBlock,
  })
}

/** How far an anchor block may lie behind the block of the transaction: what the EVM's BLOCKHASH reaches. */
const REACH = 256n

/** Whether a contract could have known the anchor's hash: it is one of the 256 blocks before the transaction's. */
export function isFresh(anchorBlock: bigint, blockNumber: bigint): boolean {
  return anchorBlock < blockNumber && blockNumber - anchorBlock <= REACH
}
