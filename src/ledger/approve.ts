import { fromHex, type Hex } from '../core/bytes.ts'
import { decisionDigest, decisionHash, type Decision, type VmmApproval } from '../record/decision.ts'
import type { SignedVmmApproval } from '../record/signed-approval.ts'
import { VMM_REGISTRY } from './abi.ts'
import type { Ledger } from './ledger.ts'
import type { DigestSigner } from './signer.ts'
import { NO_END, type VmmStatus } from './state.ts'

/** Where a proposal stands after an approval. */
export interface ApprovedVmm {
  readonly status: VmmStatus
  /** How many approvals of this decision count. */
  readonly approvals: number
  /** How many it needs. */
  readonly threshold: number
  readonly validUntil: bigint
}

/**
 * Enters approvals of a VMM, for its present epoch: the sender's where it is an approver, and those that others signed.
 *
 * @param validUntil seconds since the epoch, inclusive; approvals count together where they name the same
 * @param checked the SHA-256 of the event log that the approver looked at; without, the proposal's as the ledger has it
 * @param signed of the same decision, or the contract refuses them
 * @throws LedgerError as `submit`
 */
export async function approveVmm(
  ledger: Ledger,
  sender: DigestSigner,
  vmmHash: Hex,
  validUntil = NO_END,
  checked?: Hex,
  signed: readonly SignedVmmApproval[] = [],
): Promise<ApprovedVmm> {
  const [approval, { threshold }] = [await approvalNow(ledger, vmmHash, validUntil, checked), await ledger.approvers()]
  const approvals = signed.map(({ approver, deadline, signature }) => ({ approver, deadline, signature }))
  const args = [vmmHash, approval.epoch, approval.manifestHash, validUntil, approvals]
  const data = VMM_REGISTRY.encodeFunctionData('approve', args) as Hex
  await ledger.submit(sender, { to: 'vmmRegistry', data })
  const { status } = await ledger.vmm(vmmHash)
  const count = await ledger.approvalsOf('vmmRegistry', decisionHash(decisionOf(approval)))
  return { status, approvals: count, threshold, validUntil }
}

/** Has an approver sign an approval for somebody else to enter. @param deadline the last second at which it may be */
export async function signVmmApproval(
  ledger: Ledger,
  approver: DigestSigner,
  vmmHash: Hex,
  validUntil: bigint,
  deadline: bigint,
  checked?: Hex,
): Promise<SignedVmmApproval> {
  const domain = ledger.domain('vmmRegistry')
  const approval = await approvalNow(ledger, vmmHash, validUntil, checked)
  const signature = await approver.signDigest(
    fromHex(decisionDigest(domain, decisionOf(approval), approver.address, deadline), 32),
  )
  return { domain, approval, approver: approver.address, deadline, signature }
}

/** The decision as it would count now. */
async function approvalNow(ledger: Ledger, vmmHash: Hex, validUntil: bigint, checked?: Hex): Promise<VmmApproval> {
  const [{ epoch, manifestHash }, { term }] = [await ledger.vmm(vmmHash), await ledger.approvers()]
  return { vmmHash, epoch, manifestHash: checked ?? manifestHash, validUntil, term }
}

function decisionOf(content: VmmApproval): Decision {
  return { kind: 'VmmApproval', content }
}
