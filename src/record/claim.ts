import type { Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain } from './eip712.ts'
import { keccak256 } from './hash.ts'

export const LEDGER_ADDRESS_CLAIM_TYPE = structType('LedgerAddressClaim', 'bytes32 hostId, bytes32 akHash')

/** What a host's ledger key signs to be entered for a host: the HSM's side of the bond between TPM and HSM. */
export function ledgerAddressClaimDigest(domain: Domain, hostId: Hex, akPublic: Uint8Array): Hex {
  return typedDigest(domain, LEDGER_ADDRESS_CLAIM_TYPE, { hostId, akHash: keccak256(akPublic) })
}

export const ADDRESS_ROTATION_TYPE = structType(
  'AddressRotation',
  'bytes32 hostId, address from, address to, uint64 overlapBlocks',
)

/** A host's change of its ledger address. The verifying contract is the HostRegistry. */
export interface AddressRotation {
  readonly hostId: Hex
  readonly from: Hex
  readonly to: Hex
  /** For so many blocks more both addresses may submit. */
  readonly overlapBlocks: bigint
}

/** What both keys sign, the present one and the new one. */
export function addressRotationDigest(domain: Domain, rotation: AddressRotation): Hex {
  return typedDigest(domain, ADDRESS_ROTATION_TYPE, rotation)
}

export const ADDRESS_REPLACEMENT_TYPE = structType('AddressReplacement', 'bytes32 hostId, address from, address to')

/** A suspended host's change of its ledger address without the old key. The verifying contract is the HostRegistry. */
export type AddressReplacement = Omit<AddressRotation, 'overlapBlocks'>

/** What the new key signs. */
export function addressReplacementDigest(domain: Domain, replacement: AddressReplacement): Hex {
  return typedDigest(domain, ADDRESS_REPLACEMENT_TYPE, replacement)
}
