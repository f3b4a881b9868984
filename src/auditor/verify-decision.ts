import type { Hex } from '../core/bytes.ts'
import type { DecisionApproved } from '../ledger/event.ts'
import {
  decisionDigest,
  decisionHash,
  type ApproversChange,
  type Decision,
  type RegistrarChange,
  type VmmApproval,
} from '../record/decision.ts'
import { signerOf } from '../record/eip712.ts'
import type { AuditContext } from './audit-context.ts'
import { callOf, type Authorship, type EventCall } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'

interface SignedApproval {
  readonly approver: Hex
  readonly deadline: bigint
  readonly signature: Hex
}

const SUBJECT: Subject = { kind: 'ledger' }

/**
 * Verifies that an approver approved what the event says: by the transaction itself, or by an EIP-712 signature in it. Whether the
 * approver was one, and whether the approvals carry what followed, the history says.
 */
export async function verifyApproval(
  context: AuditContext,
  findings: FindingLog,
  event: DecisionApproved,
): Promise<Authorship> {
  const { decision: hash, approver, term } = event.args
  const call = await callOf(context, findings, SUBJECT, event)
  if (call === 'indirect') return 'contract'
  if (call === undefined) return 'signature'
  const decision = decisionOf(call, term)
  if (decision === undefined) {
    findings.add('CALLDATA_MALFORMED', SUBJECT, `expected a call that decides, found ${call.name}`)
    return 'signature'
  }
  findings.same('CALLDATA_DIFFERS', SUBJECT, 'decision', decisionHash(decision), hash)
  if (call.from === approver) return 'signature'
  const approvals = (call.args['approvals'] as readonly SignedApproval[]).filter((one) => one.approver === approver)
  const domain = context.ledger.domain(event.contract)
  const isSigned = approvals.some(
    ({ deadline, signature }) => signerOf(decisionDigest(domain, decision, approver, deadline), signature) === approver,
  )
  if (isSigned) return 'signature'
  // What a contract accepts as its signature (ERC-1271), it alone can say, and it said so to the registry.
  const code = await findings.attempt('LEDGER_UNREADABLE', SUBJECT, 'approver', () =>
    context.ledger.code(approver, event.blockNumber),
  )
  if (approvals.length > 0 && code !== undefined && code !== '0x') return 'contract'
  findings.add('APPROVAL_SIGNATURE_INVALID', SUBJECT, `${approver} did not sign ${decision.kind} ${hash}`)
  return 'signature'
}

function decisionOf({ name, args }: EventCall, term: number): Decision | undefined {
  switch (name) {
    case 'approve':
      return { kind: 'VmmApproval', content: { ...(args as unknown as VmmApproval), term } }
    case 'changeApprovers': {
      const { newApprovers, newThreshold } = args as { newApprovers: readonly Hex[]; newThreshold: number }
      const content: ApproversChange = { approvers: newApprovers, threshold: newThreshold, term }
      return { kind: 'ApproversChange', content }
    }
    case 'changeRegistrar': {
      const { registrar, isRegistrar_, nonce } = args as { registrar: Hex; isRegistrar_: boolean; nonce: bigint }
      const content: RegistrarChange = { registrar, isRegistrar: isRegistrar_, nonce, term }
      return { kind: 'RegistrarChange', content }
    }
    default:
      return undefined
  }
}
