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
 * @throws LedgerError as `submit`
 */
export async function approveVmm(
  ledger: Ledger,
  approver: DigestSigner,
  vmmHash: Hex,
  validUntil = NO_END,
): Promise<ApprovedVmm> {
  const { epoch } = await ledger.vmm(vmmHash)
  const { term } = await ledger.approvers()
  const data = VMM_REGISTRY.encodeFunctionData('approve', [vmmHash, epoch, validUntil, []]) as Hex
  await ledger.submit(approver, { to: 'vmmRegistry', data })
  const decision = decisionHash({ kind: 'VmmApproval', content: { vmmHash, epoch, validUntil, term } })
  const [{ status }, approvals] = [await ledger.vmm(vmmHash), await ledger.approvalsOf('vmmRegistry', decision)]
  return { status, approvals }
}
