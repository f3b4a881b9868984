import { AbiCoder } from 'ethers'
import { fromHex, type Hex } from '../core/bytes.ts'
import { keccak256 } from './hash.ts'

/** The names of the `Fraud` numbers, in order (docs/formats.md, "Fraud proofs"). */
export const FRAUDS = ['None', 'Omission', 'Equivocation', 'Contradiction'] as const

export type Fraud = (typeof FRAUDS)[number]

/** What a proof of fraud is known by. */
export interface FraudProof {
  readonly fraud: Fraud
  readonly hostId: Hex
  /** The record that it is about. */
  readonly seq: bigint
  /** EIP-712 digest of the receipt's group; of the smaller one where there are two. */
  readonly digestA: Hex
  /** Equivocation: of the other group. Contradiction: the header's hash. Omission: zero. */
  readonly digestB: Hex
}

/** `keccak256(abi.encode(uint8 fraud, hostId, seq, digestA, digestB))`. */
export function fraudProofHash({ fraud, hostId, seq, digestA, digestB }: FraudProof): Hex {
  const types = ['uint8', 'bytes32', 'uint64', 'bytes32', 'bytes32']
  const encoded = AbiCoder.defaultAbiCoder().encode(types, [FRAUDS.indexOf(fraud), hostId, seq, digestA, digestB])
  return keccak256(fromHex(encoded))
}
