import type { Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain } from './eip712.ts'
import { keccak256 } from './hash.ts'

export const LEDGER_ADDRESS_CLAIM_TYPE = structType('LedgerAddressClaim', 'bytes32 hostId, bytes32 akHash')

/** What a host's ledger key signs to be entered for a host: the HSM's side of the bond between TPM and HSM. */
export function ledgerAddressClaimDigest(domain: Domain, hostId: Hex, akPublic: Uint8Array): Hex {
  return typedDigest(domain, LEDGER_ADDRESS_CLAIM_TYPE, { hostId, akHash: keccak256(akPublic) })
}
