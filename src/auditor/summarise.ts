import type { OperationRecord } from '../record/record.ts'
import type { AuditReport, HostReport } from './audit-report.ts'
import type { AuditResults } from './audit-results.ts'
import type { FindingLog } from './finding-log.ts'
import type { HostLog } from './host-log.ts'
import { notCovered } from './not-covered.ts'
import type { Replayed } from './replay.ts'

/** Puts an audit's report together. */
export function summarise(results: AuditResults): AuditReport {
  const { context, findings, replayed } = results
  const { ledger, to } = context
  const { history, logs } = replayed
  const hosts = [...logs.values()].map((log) => hostReport(results, log))
  const vmms = [...history.vmms.values()].map(({ standings }) => standings.at(-1)?.value.status)
  const grants = [...history.grants.values()]
  const { auditLog } = ledger.deployment.contracts
  return {
    ok: findings.findings.length === 0,
    trust: 'node',
    trustStatement:
      `one RPC node believed: that chain ${ledger.deployment.chainId.toString()} up to block ${to.number.toString()} ` +
      `(${to.hash}) is what it told of the contracts around the AuditLog ${auditLog.address}`,
    chainId: ledger.deployment.chainId,
    blocks: { from: ledger.deployment.block, to: to.number },
    hosts,
    vmms: {
      proposed: vmms.length,
      authorised: vmms.filter((status) => status === 'Authorised').length,
      revoked: vmms.filter((status) => status === 'Revoked').length,
    },
    grants: { granted: grants.length, revoked: grants.filter(({ revoked }) => revoked !== undefined).length },
    receipts: results.outcomes.length,
    operations: hosts.reduce((sum, { operations }) => sum + operations, 0),
    verified: hosts.reduce((sum, { verified }) => sum + verified, 0),
    findings: findings.findings,
    notCovered: notCovered(results, hosts),
  }
}

function hostReport({ replayed, endorsements, findings }: AuditResults, log: HostLog): HostReport {
  const { hostId } = log
  const host = replayed.history.hosts.get(hostId)
  const endorsement = endorsements.get(hostId)
  const verified = [...log.records.values()].filter(({ record, batch }) =>
    isVerified(findings, replayed, record, batch),
  )
  return {
    hostId,
    assurance: endorsement?.assurance ?? 'Unverified',
    subject: endorsement?.subject ?? '',
    ledgerAddress: host?.identity.ledgerAddress ?? '0x',
    registeredAt: host?.registered.blockNumber ?? 0n,
    batches: log.batches,
    // Records whose batch cannot be read count too: they are on the ledger, and not verified.
    operations: Number(log.nextSeq),
    ...log.counts(),
    verified: verified.length,
    head: log.head,
    pcrSelections: [...log.pcrSelections],
  }
}

/** Whether nothing was found against a record, or against anything that it rests on. */
function isVerified(
  findings: FindingLog,
  { history }: Replayed,
  { hostId, seq, vmmHash, dataId, grantId }: OperationRecord,
  batch: bigint,
): boolean {
  const rests = [
    findings.touches({ kind: 'ledger' }),
    findings.touches({ kind: 'host', hostId }),
    findings.touches({ kind: 'batch', hostId, firstSeq: batch }),
    findings.touches({ kind: 'record', hostId, seq }),
    findings.touches({ kind: 'vmm', vmmHash }),
    findings.touches({ kind: 'data', dataId }),
    ...history.chainOf(grantId).map((link) => findings.touches({ kind: 'grant', grantId: link.grantId })),
  ]
  return !rests.includes(true)
}
