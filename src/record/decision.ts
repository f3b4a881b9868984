import { AbiCoder, id } from 'ethers'
import { concat, fromHex, type Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain, type StructType } from './eip712.ts'
import { keccak256 } from './hash.ts'

// What approvers decide by k-of-n, and sign (docs/formats.md, "Decisions"). `term` is that of the VmmRegistry's approvers.

/** To authorise a VMM. The verifying contract is the VmmRegistry. */
export interface VmmApproval {
  readonly vmmHash: Hex
  readonly epoch: number
  /** The proposal's: whoever proposes first chooses it. */
  readonly manifestHash: Hex
  /** Seconds since the epoch; the type's maximum for no end. */
  readonly validUntil: bigint
  readonly term: number
}

/** To replace the approvers. The verifying contract is the VmmRegistry. */
export interface ApproversChange {
  readonly approvers: readonly Hex[]
  readonly threshold: number
  readonly term: number
}

/** To appoint or dismiss a registrar. The verifying contract is the HostRegistry. */
export interface RegistrarChange {
  readonly registrar: Hex
  readonly isRegistrar: boolean
  readonly nonce: bigint
  readonly term: number
}

/** One kind of decision with its content. */
export type Decision =
  | { readonly kind: 'VmmApproval'; readonly content: VmmApproval }
  | { readonly kind: 'ApproversChange'; readonly content: ApproversChange }
  | { readonly kind: 'RegistrarChange'; readonly content: RegistrarChange }

export const DECISION_TYPES: Readonly<Record<Decision['kind'], StructType>> = {
  VmmApproval: structType(
    'VmmApproval',
    'bytes32 vmmHash, uint32 epoch, bytes32 manifestHash, uint64 validUntil, address approver, uint32 term, uint64 deadline',
  ),
  ApproversChange: structType(
    'ApproversChange',
    'address[] approvers, uint32 threshold, address approver, uint32 term, uint64 deadline',
  ),
  RegistrarChange: structType(
    'RegistrarChange',
    'address registrar, bool isRegistrar, uint64 nonce, address approver, uint32 term, uint64 deadline',
  ),
}

const abi = AbiCoder.defaultAbiCoder()

/** What differs between two approvals of one decision. */
const OF_APPROVAL: readonly string[] = ['approver', 'deadline']

/** What `DecisionApproved` names: `keccak256(abi.encode(typeHash, members…))` without approver and deadline. */
export function decisionHash({ kind, content }: Decision): Hex {
  const fields = DECISION_TYPES[kind].fields.filter(({ name }) => !OF_APPROVAL.includes(name))
  const members = new Map(Object.entries(content) as [string, unknown][])
  const types = fields.map(({ type }) => (type.endsWith('[]') ? 'bytes32' : type))
  const values = fields.map(({ name, type }) =>
    type === 'address[]' ? hashAddresses(members.get(name)) : members.get(name),
  )
  return keccak256(fromHex(abi.encode(['bytes32', ...types], [typeHash(DECISION_TYPES[kind]), ...values])))
}

/**
 * What an approver signs.
 *
 * @param approver whose approval it is; a contract's (ERC-1271) where its key signs for it
 * @param deadline seconds since the epoch until which it may be submitted
 */
export function decisionDigest(domain: Domain, { kind, content }: Decision, approver: Hex, deadline: bigint): Hex {
  return typedDigest(domain, DECISION_TYPES[kind], { ...content, approver, deadline })
}

function typeHash({ name, fields }: StructType): Hex {
  return id(`${name}(${fields.map((field) => `${field.type} ${field.name}`).join()})`) as Hex
}

/** EIP-712 `encodeData` of an array: the hash of its elements' encodings. */
function hashAddresses(addresses: unknown): Hex {
  return keccak256(concat(...(addresses as readonly Hex[]).map((a) => concat(new Uint8Array(12), fromHex(a, 20)))))
}
