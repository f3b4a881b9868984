import type { Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain } from './eip712.ts'

/** A permission (docs/formats.md; contracts/src/interfaces/Types.sol). The verifying contract is the AccessPolicy. */
export interface Grant {
  readonly dataId: Hex
  readonly grantee: Hex
  /** Zero for any. */
  readonly operationId: Hex
  readonly notBefore: bigint
  readonly notAfter: bigint
  readonly maxUses: bigint
  /** Zero for any. */
  readonly vmmHash: Hex
  /** Zero for any. */
  readonly hostId: Hex
  readonly minAssurance: number
  readonly delegationDepth: number
  /** Zero where the data's owner grants. */
  readonly parent: Hex
  readonly salt: Hex
}

/** No end, no limit. */
export const UNLIMITED = 2n ** 64n - 1n

export const GRANT_TYPE = structType(
  'Grant',
  'bytes32 dataId, address grantee, bytes32 operationId, uint64 notBefore, uint64 notAfter, uint64 maxUses, ' +
    'bytes32 vmmHash, bytes32 hostId, uint8 minAssurance, uint8 delegationDepth, bytes32 parent, bytes32 salt',
)

/** The grant's id: the digest that its grantor signs. */
export function grantId(domain: Domain, grant: Grant): Hex {
  return typedDigest(domain, GRANT_TYPE, grant)
}
