import type { Hex } from '../core/bytes.ts'
import type { Certificate } from './certificate.ts'
import { EvidenceError } from './error.ts'
import { timeText } from './x509-time.ts'

/** From a certificate to its root: at least two. */
export type CertificatePath = readonly Certificate[]

/** Out of which certificates a path may be built. */
export interface PathParts {
  /** Of the trust store: roots, which are trusted, and intermediates, which are believed only by their own path to a root. */
  readonly anchors: readonly Certificate[]
  /** What came with the certificate. Untrusted: no path ends there. */
  readonly intermediates?: readonly Certificate[]
}

/** Certificates in a path, its ends among them. */
const MAX_PATH = 8
/** Certificates that may come with one. */
export const MAX_INTERMEDIATES = 16
/** Issuers that are tried before a search is given up: certificates of equal names would make it exponential. */
const MAX_TRIES = 128

/**
 * Finds a path from a certificate to a self-signed root among the trust anchors (RFC 5280, section 6, without policies and name
 * constraints; revocation: `checkRevocation`). What the path rests on is checked on every certificate: signature, validity,
 * algorithms, critical extensions; and on every issuer that it is a CA, may sign certificates, allows a path of that length, and
 * has the key that the certificate below names.
 *
 * @param certificate untrusted
 * @param at the time for which the path must be valid
 * @throws EvidenceError `CHAIN_…`, for the path that came furthest
 */
export async function findPath(certificate: Certificate, parts: PathParts, at: Date): Promise<CertificatePath> {
  const { anchors, intermediates = [] } = parts
  if (intermediates.length > MAX_INTERMEDIATES) {
    const found = intermediates.length
    throw new EvidenceError('CHAIN_SEARCH', `expected at most ${MAX_INTERMEDIATES} intermediates, found ${found}`)
  }
  requireSound(certificate, at)
  const search = { at, roots: fingerprints(anchors), issuers: distinct([...anchors, ...intermediates]), tries: 0 }
  const outcome = await extend([certificate], search)
  if (outcome.root) return outcome.path
  throw outcome.failure
}

interface Search {
  readonly at: Date
  readonly roots: ReadonlySet<Hex>
  readonly issuers: readonly Certificate[]
  tries: number
}

type Outcome =
  | { readonly root: true; readonly path: CertificatePath }
  | { readonly root: false; readonly path: CertificatePath; readonly failure: EvidenceError }

/** Tries every issuer of the path's last certificate, depth first. */
async function extend(path: CertificatePath, search: Search): Promise<Outcome> {
  const last = lastOf(path)
  if (path.length > 1 && search.roots.has(last.fingerprint) && (await isSelfSigned(last))) return { root: true, path }
  let furthest: Outcome = { root: false, path, failure: incomplete(path) }
  const named = search.issuers.filter(({ subjectName }) => subjectName === last.issuerName)
  for (const issuer of path.length < MAX_PATH ? named : []) {
    if (path.some(({ fingerprint }) => fingerprint === issuer.fingerprint)) continue
    if (++search.tries > MAX_TRIES) {
      throw new EvidenceError('CHAIN_SEARCH', `no path to a root among the first ${MAX_TRIES} issuers of equal names`)
    }
    const failure = await reasonAgainst(issuer, path, search.at)
    const longer = [...path, issuer]
    const outcome: Outcome =
      failure === undefined ? await extend(longer, search) : { root: false, path: longer, failure }
    if (outcome.root) return outcome
    if (outcome.path.length > furthest.path.length) furthest = outcome
  }
  return furthest
}

async function isSelfSigned(certificate: Certificate): Promise<boolean> {
  const { subjectName, issuerName, publicKeyInfo } = certificate
  return subjectName === issuerName && (await certificate.isSignedBy(publicKeyInfo))
}

async function reasonAgainst(issuer: Certificate, path: CertificatePath, at: Date): Promise<EvidenceError | undefined> {
  const last = lastOf(path)
  if (!(await last.isSignedBy(issuer.publicKeyInfo))) {
    return new EvidenceError('CHAIN_SIGNATURE', `"${last.subject}" is not signed by "${issuer.subject}"`)
  }
  try {
    requireSound(issuer, at)
    requireAuthority(issuer, path)
    requireKeyIdentifier(issuer, last)
    return undefined
  } catch (error) {
    if (error instanceof EvidenceError) return error
    throw error
  }
}

function requireSound({ subject, notBefore, notAfter, strong, unprocessed }: Certificate, at: Date): void {
  // Written so that an invalid date fails.
  if (!(notBefore <= at && at <= notAfter)) {
    const period = `${notBefore.toISOString()} to ${notAfter.toISOString()}`
    throw new EvidenceError('CHAIN_EXPIRED', `"${subject}" is valid from ${period}, not at ${timeText(at)}`)
  }
  if (!strong) {
    throw new EvidenceError(
      'CHAIN_ALGORITHM',
      `"${subject}": expected SHA-2 with RSA from 2048 bits on, or a NIST curve`,
    )
  }
  if (unprocessed.length > 0) {
    throw new EvidenceError(
      'CHAIN_EXTENSION',
      `"${subject}" has the unknown critical extension ${unprocessed.join(', ')}`,
    )
  }
}

function requireAuthority({ subject, authority, keyUsage }: Certificate, path: CertificatePath): void {
  if (authority === undefined) throw new EvidenceError('CHAIN_AUTHORITY', `"${subject}" is no certificate authority`)
  if (keyUsage?.keyCertSign !== true) {
    throw new EvidenceError('CHAIN_AUTHORITY', `"${subject}" may not sign certificates`)
  }
  // The end certificate does not count, nor does one that an authority issued to itself (RFC 5280, section 4.2.1.9).
  const below = path.slice(1).filter(({ subjectName, issuerName }) => subjectName !== issuerName).length
  if (authority.pathLength !== undefined && below > authority.pathLength) {
    throw new EvidenceError('CHAIN_AUTHORITY', `"${subject}" allows ${authority.pathLength} below it, found ${below}`)
  }
}

/** Where both name the issuer's key, or its certificate, they must name the same (RFC 5280, sections 4.2.1.1 and 4.2.1.2). */
function requireKeyIdentifier(issuer: Certificate, { subject, authorityKey }: Certificate): void {
  const { keyId, serialNumber } = authorityKey
  const otherKey = keyId !== undefined && issuer.subjectKeyId !== undefined && keyId !== issuer.subjectKeyId
  const otherCertificate = serialNumber !== undefined && serialNumber !== issuer.serialNumber
  if (otherKey || otherCertificate) {
    throw new EvidenceError(
      'CHAIN_KEY_ID',
      `"${subject}" names another key or certificate than that of "${issuer.subject}"`,
    )
  }
}

function distinct(certificates: readonly Certificate[]): readonly Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint, certificate])).values()]
}

function fingerprints(certificates: readonly Certificate[]): ReadonlySet<Hex> {
  return new Set(certificates.map(({ fingerprint }) => fingerprint))
}

function incomplete(path: CertificatePath): EvidenceError {
  const { subject, issuer } = lastOf(path)
  return new EvidenceError('CHAIN_INCOMPLETE', `no issuer "${issuer}" of "${subject}" among the trust anchors`)
}

function lastOf(path: CertificatePath): Certificate {
  const last = path.at(-1)
  if (last === undefined) throw new RangeError('a path has at least one certificate')
  return last
}
