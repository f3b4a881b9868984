import type { HostReport } from './audit-report.ts'
import type { AuditResults } from './audit-results.ts'
import { revokedLater } from './revoked-later.ts'

/** PCRs into which firmware, boot loader and kernel are measured (TCG PC Client Platform Firmware Profile, section 3.3.4). */
const BOOT_PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]

/** What this audit cannot say, in sentences. */
export function notCovered(
  { replayed, indirect, outcomes, endorsements }: AuditResults,
  hosts: readonly HostReport[],
): readonly string[] {
  const sentences = [
    "The ledger's consensus: no block seal was verified. A node that lies in the same way about everything is not found out.",
  ]
  const held = new Set(outcomes.map(({ receipt: { record } }) => `${record.hostId}/${record.seq.toString()}`))
  const records = [...replayed.logs.values()].flatMap((log) => [...log.records.values()])
  const without = records.filter(({ record }) => !held.has(`${record.hostId}/${record.seq.toString()}`)).length
  if (without > 0) {
    sentences.push(
      `Who asked, for ${without} of ${records.length} records: the requester's signature is in the receipt, not on the ledger.`,
    )
  }
  const anchored = [...replayed.logs.values()].flatMap((log) => log.anchored)
  if (anchored.length > 0) {
    const count = anchored.reduce((sum, { count }) => sum + count, 0)
    sentences.push(
      `What happened in ${count} operations: ${anchored.length} batches were committed by their root alone, and the host keeps the records.`,
    )
  }
  for (const host of hosts) sentences.push(...aboutHost(host))
  if (endorsements.size > 0) {
    sentences.push(
      'That a host’s EK and AK are in one TPM: the registrar saw the proof (credential activation); the ledger holds none.',
      ...aboutRevocation(endorsements),
    )
  }
  if (replayed.history.vmms.size > 0) {
    sentences.push('What an authorised VMM is made of: the ledger holds the hash of its event log, not the log.')
  }
  if (indirect > 0) {
    sentences.push(
      `Who is behind ${indirect} acts that were done through another contract: the ledger's word stands for it.`,
    )
  }
  for (const { receipt, outcome } of outcomes) {
    const { record, group } = receipt
    if (outcome === 'anchored') {
      sentences.push(
        `Record ${record.seq.toString()} of host ${record.hostId}: whether its anchored batch holds it; that takes its path, which the host has.`,
      )
    }
    if (outcome !== 'pending') continue
    sentences.push(
      `Record ${record.seq.toString()} of host ${record.hostId}: not on the ledger yet, promised by block ${group.includeBy.toString()}.`,
    )
  }
  return sentences
}

function aboutRevocation(endorsements: AuditResults['endorsements']): readonly string[] {
  const all = [...endorsements].flatMap(([, { revocation }]) => revocation)
  const unlisted = new Set(all.flatMap(({ subject, status }) => (status === 'not-covered' ? [subject] : [])))
  const sentences: string[] = []
  if (unlisted.size > 0) {
    sentences.push(
      `Whether ${unlisted.size} certificates of hosts’ TPMs and of those above them were revoked: no revocation list of ` +
        'the trust store tells.',
    )
  }
  for (const [hostId, endorsement] of endorsements) {
    const later = revokedLater(endorsement)
    if (later === undefined) continue
    sentences.push(
      `Host ${hostId}: whether to go on trusting it. It was registered before "${later.subject}" was revoked ` +
        `(${later.from}), for another reason than a compromised key.`,
    )
  }
  return sentences
}

function aboutHost({ hostId, assurance, pcrSelections }: HostReport): readonly string[] {
  const sentences: string[] = []
  if (assurance === 'Software') {
    sentences.push(
      `Host ${hostId}: an emulated TPM proves nothing about hardware; its owner could have made it say anything.`,
    )
  }
  const blind = pcrSelections.filter((selection) => !pcrsOf(selection).some((pcr) => BOOT_PCRS.includes(pcr)))
  if (blind.length > 0) {
    const covered = blind.join(' and ')
    sentences.push(
      `Host ${hostId}: firmware, boot loader and kernel; its quotes cover ${covered} alone.`,
      // The ledger does not hold the log, whose first event names the profile.
      `Host ${hostId}: whether a hypervisor stands behind ${covered}: that is for its event log to say, which the approvers ` +
        'had to look at. Where the log names the profile `ci`, as that of a local stack does, files in a vmm/ directory ' +
        'stand in for a hypervisor’s.',
    )
  }
  return sentences
}

function pcrsOf(selection: string): readonly number[] {
  return selection.split('+').flatMap((part) => (part.split(':')[1] ?? '').split(',').map(Number))
}
