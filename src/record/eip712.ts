import { TypedDataEncoder, type TypedDataField } from 'ethers/hash'
import { recoverAddress } from 'ethers/transaction'
import type { Hex } from '../core/bytes.ts'

/** What an EIP-712 message commits to beside its content (EIP-712, "Definition of domainSeparator"). */
export interface Domain {
  readonly chainId: bigint
  readonly verifyingContract: Hex
}

/** One EIP-712 struct type: its name, and its members as Solidity writes them, in order. */
export interface StructType {
  readonly name: string
  readonly fields: readonly TypedDataField[]
}

/** Declares a struct type from `'bytes32 hostId, uint64 seq'`. */
export function structType(name: string, members: string): StructType {
  const fields = members.split(',').map((member) => {
    const [type = '', field = ''] = member.trim().split(' ')
    return { type, name: field }
  })
  return { name, fields }
}

/** EIP-712 `hashStruct`: no domain. */
export function hashStruct(type: StructType, value: object): Hex {
  return TypedDataEncoder.hashStruct(type.name, typesOf(type), value) as Hex
}

/** The digest that is signed: `keccak256(0x1901 ‖ domainSeparator ‖ hashStruct)`. */
export function typedDigest(domain: Domain, type: StructType, value: object): Hex {
  return TypedDataEncoder.hash(domainOf(domain), typesOf(type), value) as Hex
}

/** EIP-712 domain as wallets take it. */
export function domainOf(domain: Domain): {
  name: string
  version: string
  chainId: bigint
  verifyingContract: string
} {
  return { name: 'Attestry', version: '1', ...domain }
}

/** Types as wallets take them. */
export function typesOf(type: StructType): Record<string, TypedDataField[]> {
  return { [type.name]: [...type.fields] }
}

/**
 * The address whose key signed a digest.
 *
 * @param signature untrusted: 65 bytes r ‖ s ‖ v, v 27 or 28 as the contracts want it
 * @returns undefined where the signature is malformed, has a high s, or recovers to nothing
 */
export function signerOf(digest: Hex, signature: string): Hex | undefined {
  if (!/^0x[0-9a-fA-F]{128}1[bcBC]$/.test(signature)) return undefined
  try {
    return recoverAddress(digest, signature).toLowerCase() as Hex
  } catch {
    return undefined
  }
}
