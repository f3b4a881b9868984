import type { Hex } from '../core/bytes.ts'
import type { Certificate } from './certificate.ts'
import type { CertificatePath } from './chain.ts'
import { EvidenceError } from './error.ts'
import { timeText } from './x509-time.ts'
import type { RevocationList } from './revocation-list.ts'
import type { Revocation } from './revoked-entry.ts'

/** What is asked of revocation lists. */
export interface RevocationRules {
  /** Of the trust store; never what the host sent. */
  readonly lists: readonly RevocationList[]
  /** The least number that a list of an issuer may have, by `listIssuer`: those that were seen before. */
  readonly leastNumbers?: ReadonlyMap<string, bigint>
  /** Whether each certificate below the root must be covered by a list. */
  readonly required?: boolean
  /** When the lists must be current, where that is not the time for which the path is judged: in an audit of the past. */
  readonly currentAt?: Date
}

/** What a list says of one certificate of a path. */
export interface RevocationResult {
  readonly subject: string
  /**
   * - `not-covered`: the trust store has no list of its issuer, or none that would name it still, it or its issuer having expired
   * - `revoked-later`: revoked, and from a time on that is after the one in question; no key was compromised
   */
  readonly status: 'good' | 'not-covered' | 'revoked-later'
  /** The list, SHA-256 of its DER. */
  readonly list: Hex | undefined
  /** From when it is revoked, where it is: ISO 8601. */
  readonly revokedFrom?: string
}

/** Whose lists are numbered together: the issuer's name and, where the list names it, its key. */
export function listIssuer({ issuerName, authorityKeyId }: RevocationList): string {
  return authorityKeyId === undefined ? issuerName : `${issuerName}/${authorityKeyId}`
}

/**
 * Checks every certificate of a path but the root against its issuer's revocation list, the newest one that there is.
 *
 * An entry counts from its date on, so that what a certificate vouched for before it stands; one that names a compromised key, or
 * authority, counts whatever its date, since nobody can tell when the thief began. No entry counts from later than the list that
 * it stands in.
 *
 * @param path each certificate signed by the next
 * @param at the time in question; the lists must be current at it, or at `rules.currentAt`
 * @returns in the order of the path
 * @throws EvidenceError `CERTIFICATE_REVOKED`, and `CRL_…` where a list of an issuer cannot be believed; never on to the next
 * one then, since who can damage a list could hide a revocation
 */
export async function checkRevocation(
  path: CertificatePath,
  rules: RevocationRules,
  at: Date,
): Promise<readonly RevocationResult[]> {
  const results: RevocationResult[] = []
  for (const [index, issuer] of path.slice(1).entries()) {
    const certificate = path[index]
    if (certificate !== undefined) results.push(await checkOne(certificate, issuer, rules, at))
  }
  return results
}

async function checkOne(
  certificate: Certificate,
  issuer: Certificate,
  rules: RevocationRules,
  at: Date,
): Promise<RevocationResult> {
  const own = rules.lists.filter((one) => isOf(one, issuer)).sort(newestFirst)
  const { subject } = certificate
  const [newest] = own
  if (newest === undefined) {
    if (rules.required !== true) return { subject, status: 'not-covered', list: undefined }
    throw new EvidenceError('CRL_MISSING', `no revocation list of "${issuer.subject}", for "${subject}"`)
  }
  // Of several lists of one number no one can say which is the newest: what any of them says counts, the worst of it first.
  const results: RevocationResult[] = []
  for (const list of own.filter(({ number }) => number === newest.number)) {
    results.push(await checkAgainst(list, certificate, issuer, rules, at))
  }
  const worst =
    results.find(({ status }) => status === 'revoked-later') ?? results.find(({ status }) => status !== 'good')
  return worst ?? { subject, status: 'good', list: newest.fingerprint }
}

async function checkAgainst(
  list: RevocationList,
  certificate: Certificate,
  issuer: Certificate,
  { leastNumbers, required = false, currentAt }: RevocationRules,
  at: Date,
): Promise<RevocationResult> {
  const now = currentAt ?? at
  const { subject } = certificate
  await requireBelievable(list, issuer, leastNumbers?.get(listIssuer(list)), now)
  const of = { subject, list: list.fingerprint }
  const entry = list.revoked.get(certificate.serialNumber)
  if (entry !== undefined) return { ...of, ...requireLater(certificate, list, entry, at) }
  if (!saysAll(list, certificate, now)) {
    if (required)
      throw new EvidenceError('CRL_MISSING', `no list of "${issuer.subject}" tells of "${subject}", expired`)
    return { ...of, status: 'not-covered' }
  }
  return { ...of, status: 'good' }
}

/** @throws EvidenceError `CERTIFICATE_REVOKED` unless it was revoked after the time in question, and no key is in doubt */
function requireLater(
  { subject, serialNumber }: Certificate,
  { thisUpdate }: RevocationList,
  { fromMs, always }: Revocation,
  at: Date,
): Pick<RevocationResult, 'status' | 'revokedFrom'> {
  const from = Math.min(fromMs, thisUpdate.valueOf())
  const revokedFrom = new Date(from).toISOString()
  // Written so that an invalid date fails.
  if (!always && at.valueOf() < from) return { status: 'revoked-later', revokedFrom }
  const since = always ? 'with its key compromised, whenever that was' : `from ${revokedFrom} on`
  throw new EvidenceError('CERTIFICATE_REVOKED', `"${subject}", serial number ${serialNumber}, is revoked, ${since}`)
}

/** A list need not name what had expired when it was made (RFC 5280, section 3.3); nobody makes lists after their issuer expired. */
function saysAll({ thisUpdate, nextUpdate }: RevocationList, { notAfter }: Certificate, at: Date): boolean {
  return thisUpdate <= notAfter && at <= nextUpdate
}

/** Two authorities may have one name: then their keys tell whose list it is. */
function isOf({ issuerName, authorityKeyId }: RevocationList, { subjectName, subjectKeyId }: Certificate): boolean {
  const otherKey = authorityKeyId !== undefined && subjectKeyId !== undefined && authorityKeyId !== subjectKeyId
  return issuerName === subjectName && !otherKey
}

function newestFirst(a: RevocationList, b: RevocationList): number {
  return a.number < b.number ? 1 : a.number > b.number ? -1 : 0
}

async function requireBelievable(
  list: RevocationList,
  { subject, keyUsage, publicKeyInfo, notAfter }: Certificate,
  leastNumber: bigint | undefined,
  at: Date,
): Promise<void> {
  if (!list.strong) throw new EvidenceError('CRL_ALGORITHM', `the list of "${subject}" is not signed with SHA-2`)
  if (!(await list.isSignedBy(publicKeyInfo))) {
    throw new EvidenceError('CRL_SIGNATURE', `the list in the name of "${subject}" is not signed by it`)
  }
  if (keyUsage?.crlSign !== true) {
    throw new EvidenceError('CRL_AUTHORITY', `"${subject}" may not sign revocation lists`)
  }
  if (leastNumber !== undefined && list.number < leastNumber) {
    const found = `expected number ${leastNumber} or later, found ${list.number}`
    throw new EvidenceError('CRL_OLDER', `the list of "${subject}": ${found}`)
  }
  // Written so that an invalid date fails. The last list of an issuer that has expired is the last one for good.
  if (!(list.thisUpdate <= at && (at <= list.nextUpdate || notAfter < at))) {
    const period = `${list.thisUpdate.toISOString()} to ${list.nextUpdate.toISOString()}`
    throw new EvidenceError(
      'CRL_NOT_CURRENT',
      `the list of "${subject}" is current from ${period}, not at ${timeText(at)}`,
    )
  }
}
