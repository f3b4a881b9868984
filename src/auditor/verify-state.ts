import type { Hex } from '../core/bytes.ts'
import { ASSURANCES } from '../ledger/state.ts'
import { stringify } from '../record/json.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { HostLog } from './host-log.ts'
import type { Replayed } from './replay.ts'
import type { GrantHistory, HostHistory, LedgerHistory, VmmHistory } from './state.ts'

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
  for (const [dataId, { owners, candidate }] of history.data) {
    await compare(findings, { kind: 'data', dataId }, { owner: owners.at(-1)?.value, candidate }, async () => ({
      owner: await context.ledger.ownerOf(dataId, context.to.number),
      candidate: await context.ledger.candidateOf(dataId, context.to.number),
    }))
  }
  await verifyDeciders(context, findings, history)
  for (const [grantId, grant] of history.grants) await verifyGrantState(context, findings, grantId, grant)
}

async function verifyHead({ ledger, to }: AuditContext, findings: FindingLog, log: HostLog): Promise<void> {
  const subject: Subject = { kind: 'host', hostId: log.hostId }
  await findings.attempt('LEDGER_UNREADABLE', subject, 'head', async () => {
    findings.same('HEAD_DIFFERS', subject, 'head', log.head, await ledger.head(log.hostId, to.number))
    findings.same('HEAD_DIFFERS', subject, 'nextSeq', log.nextSeq, await ledger.nextSeq(log.hostId, to.number))
    findings.same('HEAD_DIFFERS', subject, 'batches', log.batches, await ledger.batches(log.hostId, to.number))
    for (const [height, node] of (log.range?.peaks ?? []).entries()) {
      findings.same('HEAD_DIFFERS', subject, `peak ${height}`, node, await ledger.peak(log.hostId, height, to.number))
    }
  })
}

async function verifyHostState(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  hostId: Hex,
  { registered: { args }, statuses, identity, fraud: proof }: HostHistory,
): Promise<void> {
  const expected = {
    status: statuses.at(-1)?.value,
    since: statuses.at(-1)?.block,
    assurance: ASSURANCES[args.assurance],
    ...identity,
    fraud: proof,
  }
  await compare(findings, { kind: 'host', hostId }, expected, async () => {
    const { status, since, assurance, ...keys } = await ledger.host(hostId, to.number)
    const { akQualifiedName, ledgerAddress, previousAddress, previousUntil } = keys
    const fraud = await ledger.fraudOf(hostId, to.number)
    return { status, since, assurance, akQualifiedName, ledgerAddress, previousAddress, previousUntil, fraud }
  })
}

async function verifyVmmState(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  vmmHash: Hex,
  { proposals, standings, isProven }: VmmHistory,
): Promise<void> {
  const present = standings.at(-1)
  const expected = {
    status: present?.value.status,
    isProven,
    epoch: proposals.length,
    since: present?.block,
    validUntil: present?.value.validUntil,
    manifestHash: proposals.at(-1)?.args.manifestHash,
  }
  await compare(findings, { kind: 'vmm', vmmHash }, expected, async () => {
    const { status, isProven, epoch, since, validUntil, manifestHash } = await ledger.vmm(vmmHash, to.number)
    return { status, isProven, epoch, since, validUntil, manifestHash }
  })
}

async function verifyDeciders(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  { decisions }: LedgerHistory,
): Promise<void> {
  const { number: term, approvers, threshold } = decisions.term ?? { number: 0, approvers: [], threshold: 0 }
  await compare(findings, { kind: 'ledger' }, { term, approvers, threshold }, async () => {
    const found = await ledger.approvers(to.number)
    return { term: found.term, approvers: found.approvers, threshold: found.threshold }
  })
  for (const [registrar, expected] of decisions.registrars) {
    await compare(findings, { kind: 'ledger' }, expected, async () => ({
      isRegistrar: await ledger.isRegistrar(registrar, to.number),
      nonce: await ledger.registrarNonce(registrar, to.number),
    }))
  }
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
