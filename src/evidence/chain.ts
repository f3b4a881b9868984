import type { Certificate } from './certificate.ts'
import { EvidenceError } from './error.ts'

/** From a certificate to its root: at least two. */
export type CertificatePath = readonly Certificate[]

/** Certificates in a path, its ends among them. */
const MAX_PATH = 8

/**
 * Finds a path from a certificate to a self-signed root among the trust anchors (RFC 5280, section 6, without policies, name
 * constraints and revocation). What the path rests on is checked on every certificate: signature, validity, algorithms, critical
 * extensions; and on every issuer that it is a CA, may sign certificates, and allows a path of that length.
 *
 * @param certificate untrusted
 * @param anchors roots, which are trusted, and intermediates, which are believed only by their own path to a root
 * @param at the time for which the path must be valid
 * @throws EvidenceError `CHAIN_…`, for the path that came furthest
 */
export async function findPath(
  certificate: Certificate,
  anchors: readonly Certificate[],
  at: Date,
): Promise<CertificatePath> {
  requireSound(certificate, at)
  const outcome = await extend([certificate], anchors, at)
  if (outcome.root) return outcome.path
  throw outcome.failure
}

type Outcome =
  | { readonly root: true; readonly path: CertificatePath }
  | { readonly root: false; readonly path: CertificatePath; readonly failure: EvidenceError }

/** Tries every issuer of the path's last certificate, depth first. */
async function extend(path: CertificatePath, anchors: readonly Certificate[], at: Date): Promise<Outcome> {
  const last = lastOf(path)
  if (path.length > 1 && last.subjectName === last.issuerName && (await last.isSignedBy(last.publicKeyInfo))) {
    return { root: true, path }
  }
  let furthest: Outcome = { root: false, path, failure: incomplete(path) }
  const issuers = path.length < MAX_PATH ? anchors.filter(({ subjectName }) => subjectName === last.issuerName) : []
  for (const issuer of issuers) {
    if (path.some(({ fingerprint }) => fingerprint === issuer.fingerprint)) continue
    const failure = await reasonAgainst(issuer, path, at)
    const longer = [...path, issuer]
    const outcome: Outcome =
      failure === undefined ? await extend(longer, anchors, at) : { root: false, path: longer, failure }
    if (outcome.root) return outcome
    if (outcome.path.length > furthest.path.length) furthest = outcome
  }
  return furthest
}

async function reasonAgainst(issuer: Certificate, path: CertificatePath, at: Date): Promise<EvidenceError | undefined> {
  const last = lastOf(path)
  if (!(await last.isSignedBy(issuer.publicKeyInfo))) {
    return new EvidenceError('CHAIN_SIGNATURE', `"${last.subject}" is not signed by "${issuer.subject}"`)
  }
  try {
    requireSound(issuer, at)
    requireAuthority(issuer, path)
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
    throw new EvidenceError('CHAIN_EXPIRED', `"${subject}" is valid from ${period}, not at ${String(at.valueOf())} ms`)
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

function incomplete(path: CertificatePath): EvidenceError {
  const { subject, issuer } = lastOf(path)
  return new EvidenceError('CHAIN_INCOMPLETE', `no issuer "${issuer}" of "${subject}" among the trust anchors`)
}

function lastOf(path: CertificatePath): Certificate {
  const last = path.at(-1)
  if (last === undefined) throw new RangeError('a path has at least one certificate')
  return last
}
