import type { Endorsement } from '../evidence/endorsement.ts'
import type { AttestationKeyReplaced } from '../ledger/event.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog } from './finding-log.ts'

/** A certificate of a host's path that was revoked after the host was registered. */
export interface RevokedLater {
  readonly subject: string
  /** ISO 8601. */
  readonly from: string
}

/** The first of a path's certificates that was revoked after the registration. */
export function revokedLater({ revocation }: Endorsement): RevokedLater | undefined {
  const [first] = revocation
    .flatMap(({ subject, revokedFrom: from }) => (from === undefined ? [] : [{ subject, from }]))
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  return first
}

/**
 * Verifies that a host's attestation key was replaced before any certificate of its EK's path was revoked: by the EK alone a registrar
 * knows that the new key is in the same TPM.
 *
 * @param endorsement what the trust store says of the host, for the time of its registration
 */
export async function verifyReplacedInTime(
  context: AuditContext,
  findings: FindingLog,
  { args: { hostId }, blockNumber }: AttestationKeyReplaced,
  endorsement: Endorsement | undefined,
): Promise<void> {
  const later = endorsement && revokedLater(endorsement)
  if (later === undefined) return
  const { timestamp } = await context.blockAt(blockNumber)
  // Of one form, so that their order is that of time.
  const at = new Date(Number(timestamp) * 1000).toISOString()
  if (at < later.from) return
  const detail = `attestation key replaced at ${at}: "${later.subject}" is revoked from ${later.from} on`
  findings.add('EK_CERTIFICATE_REVOKED', { kind: 'host', hostId }, detail)
}
