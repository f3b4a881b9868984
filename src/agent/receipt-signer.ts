import type { Hex } from '../core/bytes.ts'
import type { SignedRequest } from '../record/parse.ts'
import type { Receipt, ReceiptGroup } from '../record/receipt.ts'
import { leafOf, type OperationRecord } from '../record/record.ts'
import { inclusionPath, rootOf } from '../record/tree.ts'

/** What receipts are signed with. */
export interface ReceiptSignerOptions {
  /** By the host's ledger key, for the audit log. @returns 65 bytes r ‖ s ‖ v */
  readonly signGroup: (group: ReceiptGroup) => Promise<Hex>
  /** How many blocks after the access check a record is promised to be on the ledger. */
  readonly includeWithinBlocks: number
}

interface Waiting {
  readonly record: OperationRecord
  readonly signed: SignedRequest
  readonly resolve: (receipt: Receipt) => void
  readonly reject: (error: unknown) => void
}

/** So that a path has at most ten hashes. */
const MAX_GROUP = 1024

/**
 * Signs receipts for journaled records in groups: while one signature is being made the next group gathers, so a slow key
 * does not bound the rate of operations. A lone record is signed at once.
 */
export class ReceiptSigner {
  readonly #options: ReceiptSignerOptions
  readonly #waiting: Waiting[] = []
  #busy = false

  constructor(options: ReceiptSignerOptions) {
    this.#options = options
  }

  /**
   * A receipt for a record that is on disk. To be called in the order of sequence numbers.
   *
   * @throws what `signGroup` throws; the record stands all the same
   */
  receipt(record: OperationRecord, signed: SignedRequest): Promise<Receipt> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, signed, resolve, reject })
      if (!this.#busy) void this.#signAll()
    })
  }

  async #signAll(): Promise<void> {
    this.#busy = true
    while (this.#waiting.length > 0) {
      const members = this.#waiting.splice(0, runLength(this.#waiting))
      try {
        const receipts = await this.#sign(members)
        members.forEach(({ resolve }, i) => receipts[i] && resolve(receipts[i]))
      } catch (error) {
        for (const { reject } of members) reject(error)
      }
    }
    this.#busy = false
  }

  async #sign(members: readonly Waiting[]): Promise<readonly Receipt[]> {
    const { signGroup, includeWithinBlocks } = this.#options
    const records = members.map(({ record }) => record)
    const first = records[0]
    if (first === undefined) return []
    const leaves = records.map(leafOf)
    const policyBlock = records.reduce((latest, { policyBlock: block }) => (block > latest ? block : latest), 0n)
    const group: ReceiptGroup = {
      hostId: first.hostId,
      groupRoot: rootOf(leaves),
      firstSeq: first.seq,
      count: records.length,
      includeBy: policyBlock + BigInt(includeWithinBlocks),
    }
    const signature = await signGroup(group)
    return members.map(({ record, signed }, i) => ({
      record,
      group,
      path: inclusionPath(leaves, i),
      signature,
      request: signed.request,
      requestSignature: signed.signature,
      salt: signed.salt,
    }))
  }
}

/** How many at the front have consecutive sequence numbers: only those make a group. */
function runLength(waiting: readonly Waiting[]): number {
  const first = waiting[0]?.record.seq ?? 0n
  let length = 1
  while (length < MAX_GROUP && waiting[length]?.record.seq === first + BigInt(length)) length++
  return length
}
