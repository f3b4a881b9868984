import { concat, fromHex, type Hex } from '../core/bytes.ts'
import { hashStruct, structType } from './eip712.ts'
import { keccak256 } from './hash.ts'

/** One operation, done, denied or failed (docs/formats.md). Hex is lower case. */
export interface OperationRecord {
  readonly hostId: Hex
  readonly seq: bigint
  readonly vmmHash: Hex
  readonly operationId: Hex
  readonly requester: Hex
  readonly requestHash: Hex
  readonly dataId: Hex
  readonly grantId: Hex
  readonly policyBlock: bigint
  readonly dataHash: Hex
  readonly resultHash: Hex
  /** 0 for done, else a code of `REASONS`. */
  readonly status: number
  /** Seconds since the epoch. */
  readonly timestamp: bigint
}

export const RECORD_TYPE = structType(
  'Record',
  'bytes32 hostId, uint64 seq, bytes32 vmmHash, bytes32 operationId, address requester, bytes32 requestHash, ' +
    'bytes32 dataId, bytes32 grantId, uint64 policyBlock, bytes32 dataHash, bytes32 resultHash, uint16 status, uint64 timestamp',
)

/** The record's EIP-712 struct hash. */
export function hashRecord(record: OperationRecord): Hex {
  return hashStruct(RECORD_TYPE, record)
}

/** The record's leaf in a tree: `keccak256(0x00 ‖ hashStruct)`. */
export function leafOf(record: OperationRecord): Hex {
  return keccak256(concat(Uint8Array.of(0), fromHex(hashRecord(record))))
}
