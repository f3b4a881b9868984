import type { Hex } from '../core/bytes.ts'
import { decisionHash, type VmmApproval } from '../record/decision.ts'
import { VMM_REGISTRY } from './abi.ts'
import { decodeValues } from './abi-value.ts'
import type { DecisionApproved } from './event.ts'
import type { Ledger } from './ledger.ts'

/** A decision that some approvers have made, and not yet enough of them. */
export interface PendingApproval {
  readonly vmmHash: Hex
  readonly epoch: number
  /** Seconds since the epoch; `NO_END` for no end. */
  readonly validUntil: bigint
  readonly approvers: readonly Hex[]
  /** How many approvals it needs. */
  readonly threshold: number
}

/**
 * The approvals that wait for others, of VMMs that are proposed. An event names a decision by its hash alone: what it is stands in the
 * calldata of its transaction, and is compared with the hash. Left out are approvals that came through another contract.
 *
 * @throws LedgerError
 */
export async function pendingApprovals(ledger: Ledger): Promise<readonly PendingApproval[]> {
  const { number } = await ledger.latestBlock()
  const { term, threshold } = await ledger.approvers()
  const events = await ledger.logs('vmmRegistry', ledger.deployment.block, number)
  const decisions = new Map<Hex, { approval: VmmApproval; approvers: Hex[] }>()
  for (const event of events) {
    if (event.name !== 'DecisionApproved' || event.args.term !== term) continue
    const { decision, approver } = event.args
    const known = decisions.get(decision)
    if (known !== undefined) known.approvers.push(approver)
    else {
      const approval = await approvalOf(ledger, event)
      if (approval !== undefined) decisions.set(decision, { approval, approvers: [approver] })
    }
  }
  const pending: PendingApproval[] = []
  for (const { approval, approvers } of decisions.values()) {
    const { vmmHash, epoch, validUntil } = approval
    const vmm = await ledger.vmm(vmmHash)
    if (vmm.status === 'Proposed' && vmm.epoch === epoch) {
      pending.push({ vmmHash, epoch, validUntil, approvers, threshold })
    }
  }
  return pending
}

async function approvalOf(
  ledger: Ledger,
  { args, transactionHash }: DecisionApproved,
): Promise<VmmApproval | undefined> {
  const approve = VMM_REGISTRY.getFunction('approve')
  const transaction = await ledger.transaction(transactionHash)
  if (approve === null || transaction?.input.slice(0, 10) !== approve.selector) return undefined
  try {
    const call = decodeValues(approve.inputs, `0x${transaction.input.slice(10)}`) as unknown as VmmApproval
    const { vmmHash, epoch, manifestHash, validUntil } = call
    const content = { vmmHash, epoch, manifestHash, validUntil, term: args.term }
    return decisionHash({ kind: 'VmmApproval', content }) === args.decision ? content : undefined
  } catch {
    // Another contract's function with the same selector.
    return undefined
  }
}
