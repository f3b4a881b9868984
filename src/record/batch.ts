import { concat, fromHex, type Hex } from '../core/bytes.ts'
import { hashStruct, structType } from './eip712.ts'
import { keccak256 } from './hash.ts'

/** What one transaction commits: consecutive records of one host (docs/formats.md). */
export interface BatchHeader {
  readonly hostId: Hex
  readonly firstSeq: bigint
  readonly count: number
  readonly root: Hex
  readonly prevHead: Hex
  readonly anchorBlock: bigint
  readonly nvCounter: bigint
}

export const BATCH_HEADER_TYPE = structType(
  'BatchHeader',
  'bytes32 hostId, uint64 firstSeq, uint32 count, bytes32 root, bytes32 prevHead, uint64 anchorBlock, uint64 nvCounter',
)

/** The header's EIP-712 struct hash: the payload to which the batch's quote commits. */
export function hashHeader(header: BatchHeader): Hex {
  return hashStruct(BATCH_HEADER_TYPE, header)
}

/** The head after a batch: `keccak256(prevHead ‖ hashStruct(header))`. */
export function headAfter(header: BatchHeader): Hex {
  return keccak256(concat(fromHex(header.prevHead, 32), fromHex(hashHeader(header), 32)))
}

/** The header's leaf in the range of the host's batches: `keccak256(0x00 ‖ hashStruct(header))`. */
export function batchLeaf(header: BatchHeader): Hex {
  return keccak256(concat(Uint8Array.of(0), fromHex(hashHeader(header), 32)))
}
