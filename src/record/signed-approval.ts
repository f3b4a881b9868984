import type { Hex } from '../core/bytes.ts'
import type { VmmApproval } from './decision.ts'
import type { Domain } from './eip712.ts'
import { bytes, integer, members, u64 } from './parse.ts'
import { signatureBytes } from './signed-grant.ts'

/** One approver's signature that a VMM may run, for anybody to enter (docs/formats.md, "Signed grants and approvals"). */
export interface SignedVmmApproval {
  /** The VmmRegistry's domain. */
  readonly domain: Domain
  readonly approval: VmmApproval
  readonly approver: Hex
  /** Seconds since the epoch: the last at which it may be entered. */
  readonly deadline: bigint
  /** 65 bytes r ‖ s ‖ v, or whatever an approver that is a contract takes for its signature; not verified here. */
  readonly signature: Hex
}

/** As JSON has it. */
export function signedApprovalJson({ domain, approval, ...rest }: SignedVmmApproval): object {
  return { chainId: domain.chainId, vmmRegistry: domain.verifyingContract, ...approval, ...rest }
}

const MEMBERS = [
  ...(['chainId', 'vmmRegistry', 'vmmHash', 'epoch', 'manifestHash', 'validUntil', 'term'] as const),
  ...(['approver', 'deadline', 'signature'] as const),
] as const
const U32 = 0xffffffff

/** @param value untrusted, as JSON.parse gives it. @throws FormatError */
export function parseSignedApproval(value: unknown, path = 'signed approval'): SignedVmmApproval {
  const read = members(value, path, MEMBERS)
  return {
    domain: { chainId: read('chainId', u64), verifyingContract: read('vmmRegistry', bytes(20)) },
    approval: {
      vmmHash: read('vmmHash', bytes(32)),
      epoch: read('epoch', integer(0, U32)),
      manifestHash: read('manifestHash', bytes(32)),
      validUntil: read('validUntil', u64),
      term: read('term', integer(0, U32)),
    },
    approver: read('approver', bytes(20)),
    deadline: read('deadline', u64),
    signature: read('signature', signatureBytes),
  }
}
