import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { parseCertificate, type Certificate } from '../evidence/certificate.ts'
import { parseRevocationList, type RevocationList } from '../evidence/revocation-list.ts'
import { listIssuer } from '../evidence/revocation.ts'
import { AuditError } from './error.ts'
import { writePem, type PemBlock } from './pem.ts'
import { readRevocationStore, SEEN_FILE } from './revocation-store.ts'
import { readTrustStore } from './trust-store.ts'

/** What was added. */
export interface Added {
  /** `marked`: it was there, and counts as hardware now; `none`: all was as asked already. */
  readonly change: 'added' | 'marked' | 'none'
  readonly kind: 'root' | 'intermediate' | 'revocation-list'
  /** The subject, or whose list it is. */
  readonly name: string
  /** SHA-256 of the DER. */
  readonly fingerprint: Hex
  readonly file: string
  /** What its owner should know, in words: that it has expired, for example. */
  readonly warnings: readonly string[]
}

/** Below a trust store: those of its roots that belong to makers of hardware TPMs. */
export const HARDWARE_DIRECTORY = 'hardware'

/**
 * Adds a certification authority or a revocation list to a trust store, which is made where there is none. Each file takes its
 * name only when it is whole, and on disk; a newer revocation list takes the place of an older one of its issuer.
 *
 * @param block untrusted
 * @param options `hardware`: whether a root's TPMs count as hardware; `at`: the time for warnings
 * @throws AuditError `TRUST_STORE_…`, `REVOCATION_LIST_OLDER`
 */
export async function addToTrustStore(
  directory: string,
  block: PemBlock,
  options: { readonly hardware: boolean; readonly at: Date },
): Promise<Added> {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 })
  } catch (cause) {
    throw new AuditError('TRUST_STORE_UNWRITABLE', `cannot make ${directory}: ${messageOf(cause)}`, { cause })
  }
  return block.kind === 'certificate'
    ? addCertificate(directory, block, options)
    : addList(directory, block, options.at)
}

async function addCertificate(
  directory: string,
  block: PemBlock,
  { hardware, at }: { readonly hardware: boolean; readonly at: Date },
): Promise<Added> {
  const certificate = parsed(block.der)
  const { subject, fingerprint } = certificate
  const root = await isRoot(certificate)
  if (hardware && !root) {
    throw new AuditError('TRUST_STORE_NOT_ROOT', `"${subject}" is an intermediate: only roots are named as hardware`)
  }
  const file = `${fingerprint.slice(2, 18)}.pem`
  const there = certificatesIn(directory).some((one) => one.fingerprint === fingerprint)
  const marked = existsSync(join(directory, HARDWARE_DIRECTORY, file))
  // The mark first: a root without it would be taken for software's, one with nothing but it is not trusted at all.
  if (hardware && !marked) {
    mkdirSync(join(directory, HARDWARE_DIRECTORY), { recursive: true })
    writeDurably(join(directory, HARDWARE_DIRECTORY, file), writePem(block))
  }
  if (!there) writeDurably(join(directory, file), writePem(block))
  const kind = root ? 'root' : 'intermediate'
  const change = !there ? 'added' : hardware && !marked ? 'marked' : 'none'
  return { change, kind, name: subject, fingerprint, file, warnings: warningsOf(certificate, at) }
}

async function addList(directory: string, block: PemBlock, at: Date): Promise<Added> {
  const list = listOf(block.der)
  await requireKnownIssuer(directory, list)
  const issuer = listIssuer(list)
  const { lists, leastNumbers } = readRevocationStore(directory)
  const least = leastNumbers.get(issuer)
  if (lists.some((one) => one.list.fingerprint === list.fingerprint)) {
    const file = lists.find((one) => one.list.fingerprint === list.fingerprint)?.file ?? ''
    return {
      change: 'none',
      kind: 'revocation-list',
      name: list.issuer,
      fingerprint: list.fingerprint,
      file,
      warnings: [],
    }
  }
  if (least !== undefined && list.number <= least) {
    const found = `number ${least} was seen, this one has ${list.number}`
    throw new AuditError(
      'REVOCATION_LIST_OLDER',
      `the list of "${list.issuer}" is no newer than one before it: ${found}`,
    )
  }
  const file = `${list.fingerprint.slice(2, 18)}.crl`
  // The list first: a number without its list would shut the store.
  writeDurably(join(directory, file), writePem(block))
  const numbers = new Map([...leastNumbers, [issuer, list.number]])
  const seen = Object.fromEntries([...numbers].map(([of, number]) => [of, number.toString()]))
  writeDurably(join(directory, SEEN_FILE), `${JSON.stringify(seen, undefined, 2)}\n`)
  for (const old of lists) if (listIssuer(old.list) === issuer) rmSync(join(directory, old.file), { force: true })
  const warnings = list.nextUpdate < at ? [`it was to be replaced by ${list.nextUpdate.toISOString()}`] : []
  return { change: 'added', kind: 'revocation-list', name: list.issuer, fingerprint: list.fingerprint, file, warnings }
}

function parsed(der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    const message = `expected an X.509 certificate: ${messageOf(cause)}`
    throw new AuditError('TRUST_STORE_MALFORMED', message, { cause })
  }
}

function listOf(der: Uint8Array): RevocationList {
  try {
    return parseRevocationList(der)
  } catch (cause) {
    throw new AuditError('TRUST_STORE_MALFORMED', messageOf(cause), { cause })
  }
}

/** @throws AuditError `TRUST_STORE_NOT_AUTHORITY` */
async function isRoot(certificate: Certificate): Promise<boolean> {
  const { subject, subjectName, issuerName, authority, keyUsage, publicKeyInfo } = certificate
  if (authority === undefined || keyUsage?.keyCertSign !== true) {
    throw new AuditError('TRUST_STORE_NOT_AUTHORITY', `"${subject}" may not sign certificates`)
  }
  if (subjectName !== issuerName) return false
  if (await certificate.isSignedBy(publicKeyInfo)) return true
  throw new AuditError('TRUST_STORE_NOT_AUTHORITY', `"${subject}" is not signed by itself, though it says so`)
}

/** A list of nobody's, with a high number, would shut the real ones out. */
async function requireKnownIssuer(directory: string, list: RevocationList): Promise<void> {
  for (const { subjectName, publicKeyInfo } of certificatesIn(directory)) {
    if (subjectName === list.issuerName && (await list.isSignedBy(publicKeyInfo))) return
  }
  const message = `no authority in ${directory} signed the list in the name of "${list.issuer}": add the authority first`
  throw new AuditError('REVOCATION_LIST_UNKNOWN', message)
}

function certificatesIn(directory: string): readonly Certificate[] {
  try {
    return readTrustStore(directory).map(parsed)
  } catch (error) {
    if (error instanceof AuditError && error.code === 'TRUST_STORE_EMPTY') return []
    throw error
  }
}

function warningsOf({ notBefore, notAfter, strong, unprocessed }: Certificate, at: Date): readonly string[] {
  return [
    at > notAfter && `it expired on ${notAfter.toISOString()}`,
    at < notBefore && `it is not valid before ${notBefore.toISOString()}`,
    !strong && 'its algorithms are not believed: no path over it will hold',
    unprocessed.length > 0 && `its critical extension ${unprocessed.join(', ')} is not understood: no path will hold`,
  ].filter((warning) => warning !== false)
}

function writeDurably(path: string, text: string): void {
  const partial = `${path}.partial`
  try {
    const handle = openSync(partial, 'w', 0o644)
    try {
      writeSync(handle, text)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(partial, path)
  } catch (cause) {
    if (existsSync(partial)) rmSync(partial, { force: true })
    throw new AuditError('TRUST_STORE_UNWRITABLE', `cannot write ${path}: ${messageOf(cause)}`, { cause })
  }
}
