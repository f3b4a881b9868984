import type { Hex } from '../core/bytes.ts'
import { ASSURANCES } from '../ledger/state.ts'
import { stringify } from '../record/json.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { HostLog } from './host-log.ts'
import type { Replayed } from './replay.ts'
import type { GrantHistory, HostHistory, VmmHistory } from './state.ts'

/**
 * Compares what the events add up to with what the contracts say of themselves at the audit's last block. A node that leaves out a
 * suspension, a revocation or a batch contradicts itself here.
 */
export async function verifyState(
  context: AuditContext,
  findings: FindingLog,
  { history, logs }: Replayed,
): Promise<void> {
  for (const [hostId, host] of history.hosts) await verifyHostState(context, findings, hostId, host)
  for (const log of logs.values()) await verifyHead(context, findings, log)
  for (const [vmmHash, vmm] of history.vmms) await verifyVmmState(context, findings, vmmHash, vmm)
  for (const [dataId, { args }] of history.data) {
    await compare(findings, { kind: 'data', dataId }, { owner: args.owner }, async () => ({
      owner: await context.ledger.ownerOf(dataId, context.to.number),
    }))
  }
  for (const [grantId, grant] of history.grants) await verifyGrantState(context, findings, grantId, grant)
}

async function verifyHead({ ledger, to }: AuditContext, findings: FindingLog, log: HostLog): Promise<void> {
  const subject: Subject = { kind: 'host', hostId: log.hostId }
  await findings.attempt('LEDGER_UNREADABLE', subject, 'head', async () => {
    findings.same('HEAD_DIFFERS', subject, 'head', log.head, await ledger.head(log.hostId, to.number))
    findings.same('HEAD_DIFFERS', subject, 'nextSeq', log.nextSeq, await ledger.nextSeq(log.hostId, to.number))
  })
}

async function verifyHostState(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  hostId: Hex,
  { registered: { args }, statuses }: HostHistory,
): Promise<void> {
  const expected = {
    status: statuses.at(-1)?.value,
    since: statuses.at(-1)?.block,
    assurance: ASSURANCES[args.assurance],
    ledgerAddress: args.ledgerAddress,
  }
  await compare(findings, { kind: 'host', hostId }, expected, async () => {
    const { status, since, assurance, ledgerAddress } = await ledger.host(hostId, to.number)
    return { status, since, assurance, ledgerAddress }
  })
}

async function verifyVmmState(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  vmmHash: Hex,
  { epochs, statuses }: VmmHistory,
): Promise<void> {
  const epoch = epochs.at(-1)
  const expected = {
    status: statuses.at(-1)?.value,
    epoch: epochs.length,
    approvals: epoch?.approvals.length,
    authorisedAt: epoch?.authorisedAt,
    revokedAt: epoch?.revokedAt,
    manifestHash: epoch?.proposed.args.manifestHash,
  }
  await compare(findings, { kind: 'vmm', vmmHash }, expected, async () => {
    const { status, epoch, approvals, authorisedAt, revokedAt, manifestHash } = await ledger.vmm(vmmHash, to.number)
    return { status, epoch, approvals, authorisedAt, revokedAt, manifestHash }
  })
}

async function verifyGrantState(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  grantId: Hex,
  { granted, revoked, used }: GrantHistory,
): Promise<void> {
  const expected = {
    grantor: granted.args.grantor,
    grantedAt: granted.blockNumber,
    revokedAt: revoked?.blockNumber ?? 0n,
    uses: used.at(-1)?.value ?? 0n,
  }
  await compare(findings, { kind: 'grant', grantId }, expected, async () => {
    const { grantor, grantedAt, revokedAt, uses } = await ledger.grantOf(grantId, to.number)
    return { grantor, grantedAt, revokedAt, uses }
  })
}

async function compare<State extends object>(
  findings: FindingLog,
  subject: Subject,
  expected: { readonly [Name in keyof State]: State[Name] | undefined },
  read: () => Promise<State>,
): Promise<void> {
  const found = await findings.attempt('LEDGER_UNREADABLE', subject, 'state', read)
  if (found === undefined || stringify(found) === stringify(expected)) return
  findings.add(
    'STATE_DIFFERS',
    subject,
    `the events give ${stringify(expected)}, the contract says ${stringify(found)}`,
  )
}
