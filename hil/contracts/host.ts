import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import type { SubmittedQuote } from '../../src/ledger/commit.ts'
import type { ContractName } from '../../src/ledger/deployment.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { hashHeader, type BatchHeader } from '../../src/record/batch.ts'
import { qualifyingData, registrationPayload, type QuotePurpose } from '../../src/record/binding.ts'
import { ledgerAddressClaimDigest } from '../../src/record/claim.ts'
import { hashResult, sha256, ZERO_HASH } from '../../src/record/hash.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { receiptGroupDigest, type ReceiptGroup } from '../../src/record/receipt.ts'
import { rootOf } from '../../src/record/tree.ts'
import { vmmHashOfQuoteInfo } from '../../src/evidence/vmm-hash.ts'
import type { ContractChain } from './chain.ts'
import { quoteInfo, type SoftwareAk } from './software-ak.ts'

/** What makes a record; the rest is given by its place. */
export type RecordParts = Omit<OperationRecord, 'hostId' | 'seq'>

/** A host whose TPM and ledger key lie open, for making everything that a host can send to the contracts. */
export class OpenHost {
  readonly hostId: Hex
  readonly ekPublic: Uint8Array
  /** Members that tests and scenes change as they like. */
  ak: SoftwareAk
  speaker: DigestSigner
  pcrDigest = new Uint8Array(32).fill(0xa5)
  /** The TPM's clock; runs on with every quote. */
  clockMs = 1_000_000n
  resetCount = 5
  restartCount = 3
  readonly #chain: ContractChain

  constructor(chain: ContractChain, name: string, ak: SoftwareAk, speaker: DigestSigner) {
    this.#chain = chain
    // As long as a real EK's TPMT_PUBLIC.
    this.ekPublic = fromHex(`0x${sha256(new TextEncoder().encode(name)).slice(2).repeat(4)}`).slice(0, 122)
    this.hostId = sha256(this.ekPublic)
    this.ak = ak
    this.speaker = speaker
  }

  /** What its quotes show. */
  get vmmHash(): Hex {
    return vmmHashOfQuoteInfo(quoteInfo(this.pcrDigest))
  }

  /** A quote for a purpose, bound to the block before the newest; with that block's number. */
  async quote(
    purpose: QuotePurpose,
    contract: ContractName,
    payloadHash: Hex,
    at?: { readonly number: bigint; readonly hash: Hex },
  ): Promise<{ readonly anchorBlock: bigint; readonly quote: SubmittedQuote }> {
    const { ledger, deployment } = this.#chain
    const { number: anchorBlock, hash: anchorBlockHash } = at ?? (await this.#chain.anchor())
    const { address } = deployment.contracts[contract]
    const { chainId } = ledger.deployment
    const { hostId } = this
    const data = qualifyingData({ purpose, chainId, contract: address, hostId, payloadHash, anchorBlockHash })
    this.clockMs += 100n
    const { clockMs, resetCount, restartCount, pcrDigest } = this
    return { anchorBlock, quote: this.ak.quote(data, { clockMs, resetCount, restartCount, pcrDigest }) }
  }

  /** The quote by which the AK speaks for the ledger address, and the address's own word. */
  async bond(purpose: 'register' | 'replace-ak'): Promise<{
    readonly anchorBlock: bigint
    readonly quote: SubmittedQuote
    readonly consent: Hex
  }> {
    const { akPublic } = this.ak
    const digest = ledgerAddressClaimDigest(this.#chain.ledger.domain('hostRegistry'), this.hostId, akPublic)
    const payload = registrationPayload(this.speaker.address, akPublic)
    const quoted = await this.quote(purpose, 'hostRegistry', payload)
    return { ...quoted, consent: await this.speaker.signDigest(fromHex(digest)) }
  }

  /** The next records. */
  async records(parts: readonly RecordParts[]): Promise<readonly OperationRecord[]> {
    const firstSeq = await this.#chain.ledger.nextSeq(this.hostId)
    return parts.map((part, i) => ({ hostId: this.hostId, seq: firstSeq + BigInt(i), ...part }))
  }

  /** The next batch, with the quote for it. */
  async batch(records: readonly OperationRecord[]): Promise<{
    readonly header: BatchHeader
    readonly quote: SubmittedQuote
  }> {
    const { ledger } = this.#chain
    const { hostId } = this
    const at = await this.#chain.anchor()
    const header: BatchHeader = {
      hostId,
      firstSeq: await ledger.nextSeq(hostId),
      count: records.length,
      root: rootOf(records.map(leafOf)),
      prevHead: await ledger.head(hostId),
      anchorBlock: at.number,
      nvCounter: (await ledger.clock(hostId)).nvCounter + 1n,
    }
    const { quote } = await this.quote('commit', 'auditLog', hashHeader(header), at)
    return { header, quote }
  }

  /** A promise to commit records by a block, signed. */
  async receipt(
    records: readonly OperationRecord[],
    includeBy: bigint,
  ): Promise<{ readonly group: ReceiptGroup; readonly signature: Hex }> {
    const group: ReceiptGroup = {
      hostId: this.hostId,
      groupRoot: rootOf(records.map(leafOf)),
      firstSeq: records[0]?.seq ?? 0n,
      count: records.length,
      includeBy,
    }
    const digest = receiptGroupDigest(this.#chain.ledger.domain('auditLog'), group)
    return { group, signature: await this.speaker.signDigest(fromHex(digest)) }
  }
}

/** Hashes that a record has of its own, different for each number. */
export function ownHashes(number: number): Pick<OperationRecord, 'requestHash' | 'dataHash' | 'resultHash'> {
  const hash = (what: string): Hex => hashResult(ZERO_HASH, new TextEncoder().encode(`${what} ${number}`))
  return { requestHash: hash('request'), dataHash: hash('data'), resultHash: hash('result') }
}

/** A vmmHash and what `predict` takes for it. */
export function prediction(pcrDigest: Uint8Array): { readonly vmmHash: Hex; readonly attested: Hex } {
  const attested = quoteInfo(pcrDigest)
  return { vmmHash: vmmHashOfQuoteInfo(attested), attested: toHex(attested) }
}
