import { AbiCoder, id } from 'ethers'
import { fromHex, type Hex } from '../core/bytes.ts'
import { keccak256, sha256 } from './hash.ts'

/** What a quote is for; a quote for one purpose is useless for another. */
export type QuotePurpose = 'register' | 'replace-ak' | 'rotate-address' | 'replace-address' | 'vmm' | 'commit'

/** All that a quote's qualifying data commits to. */
export interface QuoteBinding {
  readonly purpose: QuotePurpose
  readonly chainId: bigint
  readonly contract: Hex
  readonly hostId: Hex
  readonly payloadHash: Hex
  readonly anchorBlockHash: Hex
}

const abi = AbiCoder.defaultAbiCoder()

/** The 32 bytes that a quote carries as its `extraData` (docs/formats.md, "Quote binding"). */
export function qualifyingData(binding: QuoteBinding): Uint8Array<ArrayBuffer> {
  const encoded = abi.encode(
    ['bytes32', 'uint256', 'address', 'bytes32', 'bytes32', 'bytes32'],
    [
      id(`attestry/quote/${binding.purpose}`),
      binding.chainId,
      binding.contract,
      binding.hostId,
      binding.payloadHash,
      binding.anchorBlockHash,
    ],
  )
  return fromHex(sha256(fromHex(encoded)), 32)
}

/** The payload of a registration's quote, and of one that replaces an AK: `keccak256(abi.encode(ledgerAddress, keccak256(akPublic)))`. */
export function registrationPayload(ledgerAddress: Hex, akPublic: Uint8Array): Hex {
  return keccak256(fromHex(abi.encode(['address', 'bytes32'], [ledgerAddress, keccak256(akPublic)])))
}

/** The payload of the quote that gives a host an address without the old key: `keccak256(abi.encode(from, to))`. */
export function replacementPayload(from: Hex, to: Hex): Hex {
  return keccak256(fromHex(abi.encode(['address', 'address'], [from, to])))
}

/** The payload of a rotation's quote: `keccak256(abi.encode(from, to, overlapBlocks))`. */
export function rotationPayload(from: Hex, to: Hex, overlapBlocks: bigint): Hex {
  return keccak256(fromHex(abi.encode(['address', 'address', 'uint64'], [from, to, overlapBlocks])))
}
