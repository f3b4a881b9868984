import type { Hex } from '../core/bytes.ts'
import type {
  DataRegistered,
  Granted,
  GrantCancelled,
  GrantRevoked,
  OwnershipAccepted,
  OwnershipOffered,
} from '../ledger/event.ts'
import { signerOf } from '../record/eip712.ts'
import { grantId as idOf } from '../record/grant.ts'
import { dataId as dataIdOf } from '../record/hash.ts'
import { stringify } from '../record/json.ts'
import type { AuditContext } from './audit-context.ts'
import { callOf, verifyActor, type Authorship } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'

/** Verifies that a grant's id is its digest, and that its grantor made it: by its transaction or by its EIP-712 signature. */
export async function verifyGrant(context: AuditContext, findings: FindingLog, event: Granted): Promise<Authorship> {
  const { grantId, grantor, grant } = event.args
  const subject: Subject = { kind: 'grant', grantId }
  findings.same('GRANT_ID_DIFFERS', subject, 'grantId', idOf(context.ledger.domain('accessPolicy'), grant), grantId)
  const call = await callOf(context, findings, subject, event)
  if (call === 'indirect') return 'contract'
  if (call === undefined) return 'signature'
  findings.same('CALLDATA_DIFFERS', subject, 'grant', stringify(grant), stringify(call.args['g']))
  switch (call.name) {
    case 'grant':
      findings.same('SENDER_WRONG', subject, 'grantor', grantor, call.from)
      return 'signature'
    case 'grantBySignature':
      findings.same('CALLDATA_DIFFERS', subject, 'grantor', grantor, call.args['grantor'])
      return verifySignature(context, findings, event, call.args['signature'] as Hex)
    default:
      findings.add('CALLDATA_MALFORMED', subject, `expected grant or grantBySignature, found ${call.name}`)
      return 'signature'
  }
}

/** Verifies that a grant was revoked by who the event says. */
export async function verifyGrantRevoked(
  context: AuditContext,
  findings: FindingLog,
  event: GrantRevoked,
): Promise<Authorship> {
  const { grantId, by } = event.args
  const expected = { names: ['revoke'], actor: by, args: { id: grantId } }
  return verifyActor(context, findings, { kind: 'grant', grantId }, event, expected)
}

/** Verifies that a grant was cancelled by who might have signed it. */
export async function verifyGrantCancelled(
  context: AuditContext,
  findings: FindingLog,
  event: GrantCancelled,
): Promise<Authorship> {
  const { grantId, grantor } = event.args
  const expected = { names: ['cancel'], actor: grantor, args: { id: grantId } }
  return verifyActor(context, findings, { kind: 'grant', grantId }, event, expected)
}

/** Verifies that the ownership of data was offered by its owner, or accepted by who has it now. */
export async function verifyOwnership(
  context: AuditContext,
  findings: FindingLog,
  event: OwnershipOffered | OwnershipAccepted,
): Promise<Authorship> {
  const { dataId, owner } = event.args
  const expected =
    event.name === 'OwnershipOffered'
      ? { names: ['offerOwnership'], actor: owner, args: { dataId, candidate: event.args.candidate } }
      : { names: ['acceptOwnership'], actor: owner, args: { dataId } }
  return verifyActor(context, findings, { kind: 'data', dataId }, event, expected)
}

/** Verifies that data was registered by its owner: nobody else can make its id. */
export async function verifyData(
  context: AuditContext,
  findings: FindingLog,
  event: DataRegistered,
): Promise<Authorship> {
  const { dataId, owner } = event.args
  const subject: Subject = { kind: 'data', dataId }
  const call = await callOf(context, findings, subject, event)
  if (call === 'indirect') return 'contract'
  if (call === undefined) return 'signature'
  if (call.name !== 'registerData') {
    findings.add('CALLDATA_MALFORMED', subject, `expected registerData, found ${call.name}`)
    return 'signature'
  }
  findings.same('SENDER_WRONG', subject, 'owner', owner, call.from)
  findings.same('DATA_ID_DIFFERS', subject, 'dataId', dataIdOf(owner, call.args['salt'] as Hex), dataId)
  return 'signature'
}

async function verifySignature(
  { ledger }: AuditContext,
  findings: FindingLog,
  { args: { grantId, grantor }, blockNumber }: Granted,
  signature: Hex,
): Promise<Authorship> {
  if (signerOf(grantId, signature) === grantor) return 'signature'
  const subject: Subject = { kind: 'grant', grantId }
  // What a contract accepts as its signature (ERC-1271), it alone can say, and it said so to the policy.
  const code = await findings.attempt('LEDGER_UNREADABLE', subject, 'grantor', () => ledger.code(grantor, blockNumber))
  if (code !== undefined && code !== '0x') return 'contract'
  findings.add('GRANT_SIGNATURE_INVALID', subject, `the signature is not one of ${grantor} over ${grantId}`)
  return 'signature'
}
