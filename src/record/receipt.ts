import type { Hex } from '../core/bytes.ts'
import { signerOf, structType, typedDigest, type Domain } from './eip712.ts'
import { leafOf, type OperationRecord } from './record.ts'
import type { OperationRequest } from './request.ts'
import { rootFromPath, type InclusionPath } from './tree.ts'

/** The host's promise to commit a run of records by a block. The verifying contract is the AuditLog. */
export interface ReceiptGroup {
  readonly hostId: Hex
  readonly groupRoot: Hex
  readonly firstSeq: bigint
  readonly count: number
  readonly includeBy: bigint
}

export const RECEIPT_GROUP_TYPE = structType(
  'ReceiptGroup',
  'bytes32 hostId, bytes32 groupRoot, uint64 firstSeq, uint32 count, uint64 includeBy',
)

/** What a customer gets back beside the result. */
export interface Receipt {
  readonly record: OperationRecord
  readonly group: ReceiptGroup
  readonly path: InclusionPath
  /** By the host's ledger key over the group; 65 bytes r ‖ s ‖ v. */
  readonly signature: Hex
  /** What the customer signed, and its signature: who asked. */
  readonly request: OperationRequest
  readonly requestSignature: Hex
  /** The salt of dataHash and resultHash. */
  readonly salt: Hex
}

/** The digest that the host's ledger key signs for a group. */
export function receiptGroupDigest(domain: Domain, group: ReceiptGroup): Hex {
  return typedDigest(domain, RECEIPT_GROUP_TYPE, group)
}

/** Which part of a receipt does not hold. */
export type ReceiptFault = 'RECORD_NOT_IN_GROUP' | 'GROUP_OTHER_HOST' | 'SIGNATURE_INVALID'

/**
 * Verifies that a host's ledger key promised to commit a record.
 *
 * @param receipt untrusted
 * @returns the faults; none where the promise stands
 */
export function receiptFaults(domain: Domain, receipt: Receipt, ledgerAddress: Hex): readonly ReceiptFault[] {
  const { record, group } = receipt
  const faults: ReceiptFault[] = []
  const index = Number(record.seq - group.firstSeq)
  if (rootFromPath(leafOf(record), index, group.count, receipt.path) !== group.groupRoot) {
    faults.push('RECORD_NOT_IN_GROUP')
  }
  if (record.hostId !== group.hostId) faults.push('GROUP_OTHER_HOST')
  if (signerOf(receiptGroupDigest(domain, group), receipt.signature) !== ledgerAddress.toLowerCase()) {
    faults.push('SIGNATURE_INVALID')
  }
  return faults
}
