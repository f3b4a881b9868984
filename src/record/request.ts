import type { Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain } from './eip712.ts'

/** What a customer signs to ask for one operation (docs/formats.md). The verifying contract is the AuditLog. */
export interface OperationRequest {
  readonly operationId: Hex
  readonly dataId: Hex
  /** Zero where the customer acts as the data's owner. */
  readonly grantId: Hex
  readonly inputHash: Hex
  readonly hostId: Hex
  readonly nonce: Hex
  /** The last second since the epoch at which it may be accepted. */
  readonly expiry: bigint
}

export const OPERATION_REQUEST_TYPE = structType(
  'OperationRequest',
  'bytes32 operationId, bytes32 dataId, bytes32 grantId, bytes32 inputHash, bytes32 hostId, bytes32 nonce, uint64 expiry',
)

/** The digest that the customer signs, and by which the request is known for ever after. */
export function requestHash(domain: Domain, request: OperationRequest): Hex {
  return typedDigest(domain, OPERATION_REQUEST_TYPE, request)
}
