import type { Hex } from '../core/bytes.ts'
import type { Certificate } from './certificate.ts'
import type { CertificatePath } from './chain.ts'
import { EvidenceError } from './error.ts'
import type { RevocationList } from './revocation-list.ts'

/** What is asked of revocation lists. */
export interface RevocationRules {
  /** Of the trust store; never what the host sent. */
  readonly lists: readonly RevocationList[]
  /** The least number that a list of an issuer may have, by `listIssuer`: those that were seen before. */
  readonly leastNumbers?: ReadonlyMap<string, bigint>
  /** Whether each certificate below the root must be covered by a list. */
  readonly required?: boolean
}

/** What a list says of one certificate of a path. */
export interface RevocationResult {
  readonly subject: string
  /** `not-covered`: the trust store has no list of its issuer. */
  readonly status: 'good' | 'not-covered'
  /** The list, SHA-256 of its DER. */
  readonly list: Hex | undefined
}

/** Whose lists are numbered together: the issuer's name and, where the list names it, its key. */
export function listIssuer({ issuerName, authorityKeyId }: RevocationList): string {
  return authorityKeyId === undefined ? issuerName : `${issuerName}/${authorityKeyId}`
}

/**
 * Checks every certificate of a path but the root against its issuer's revocation list, the newest one that there is.
 *
 * @param path each certificate signed by the next
 * @param at the time for which the lists must be current
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
  { lists, leastNumbers, required = false }: RevocationRules,
  at: Date,
): Promise<RevocationResult> {
  const [list] = lists.filter((one) => isOf(one, issuer)).sort(newestFirst)
  const { subject } = certificate
  if (list === undefined) {
    if (required) throw new EvidenceError('CRL_MISSING', `no revocation list of "${issuer.subject}", for "${subject}"`)
    return { subject, status: 'not-covered', list: undefined }
  }
  await requireBelievable(list, issuer, leastNumbers?.get(listIssuer(list)), at)
  if (list.revoked.has(certificate.serialNumber)) {
    const number = certificate.serialNumber
    throw new EvidenceError('CERTIFICATE_REVOKED', `"${subject}", serial number ${number}, is revoked`)
  }
  return { subject, status: 'good', list: list.fingerprint }
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
  { subject, keyUsage, publicKeyInfo }: Certificate,
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
  // Written so that an invalid date fails.
  if (!(list.thisUpdate <= at && at <= list.nextUpdate)) {
    const period = `${list.thisUpdate.toISOString()} to ${list.nextUpdate.toISOString()}`
    throw new EvidenceError(
      'CRL_NOT_CURRENT',
      `the list of "${subject}" is current from ${period}, not at ${String(at.valueOf())} ms`,
    )
  }
}
