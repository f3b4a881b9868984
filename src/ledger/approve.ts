import type { Hex } from '../core/bytes.ts'
import { decisionHash } from '../record/decision.ts'
import { VMM_REGISTRY } from './abi.ts'
import type { Ledger } from './ledger.ts'
import type { DigestSigner } from './signer.ts'
import { NO_END, type VmmStatus } from './state.ts'

/** Where a proposal stands after an approval. */
export interface ApprovedVmm {
  readonly status: VmmStatus
  /** How many approvals of this decision count. */
  readonly approvals: number
}

/**
 * Enters one approver's approval of a VMM, for its present epoch.
 *
 * @param validUntil seconds since the epoch, inclusive; approvals count together where they name the same
 * @param checked the SHA-256 of the event log that the approver looked at; without, the proposal's as the ledger has it
 * @throws LedgerError as `submit`
 */
export async function approveVmm(
  ledger: Ledger,
  approver: DigestSigner,
  vmmHash: Hex,
  validUntil = NO_END,
  checked?: Hex,
): Promise<ApprovedVmm> {
  const { epoch, manifestHash: proposed } = await ledger.vmm(vmmHash)
  const manifestHash = checked ?? proposed
  const { term } = await ledger.approvers()
  const data = VMM_REGISTRY.encodeFunctionData('approve', [vmmHash, epoch, manifestHash, validUntil, []]) as Hex
  await ledger.submit(approver, { to: 'vmmRegistry', data })
  const decision = decisionHash({ kind: 'VmmApproval', content: { vmmHash, epoch, manifestHash, validUntil, term } })
  const [{ status }, approvals] = [await ledger.vmm(vmmHash), await ledger.approvalsOf('vmmRegistry', decision)]
  return { status, approvals }
}
