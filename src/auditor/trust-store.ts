import { readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../core/error.ts'
import { parseCertificate } from '../evidence/certificate.ts'
import { AuditError } from './error.ts'
import { readPem } from './pem.ts'

const CERTIFICATE_FILE = /\.(?:pem|crt|cer)$/i
const MAX_FILE_BYTES = 1_048_576

/**
 * Reads the certificates of the TPM vendors whom the auditor trusts.
 *
 * @param directory holds files `*.pem`, `*.crt`, `*.cer` with one or more PEM certificates each: roots, which are trusted, and
 * intermediates, which are believed only by their path to a root. Other files, and directories, are left alone
 * @returns DER, in the order of the file names, each certificate once
 * @throws AuditError `TRUST_STORE_UNREADABLE`, `TRUST_STORE_EMPTY`, `TRUST_STORE_MALFORMED`,
 * `TRUST_STORE_PRIVATE_KEY`
 */
export function readTrustStore(directory: string): readonly Uint8Array[] {
  const certificates = new Map<string, Uint8Array>()
  for (const name of namesIn(directory)) {
    for (const der of certificatesIn(join(directory, name))) certificates.set(parsed(der, name), der)
  }
  if (certificates.size === 0) {
    throw new AuditError(
      'TRUST_STORE_EMPTY',
      `${directory}: expected at least one certificate in *.pem, *.crt or *.cer`,
    )
  }
  return [...certificates.values()]
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && CERTIFICATE_FILE.test(entry.name))
      .map(({ name }) => name)
      .sort()
  } catch (cause) {
    throw new AuditError('TRUST_STORE_UNREADABLE', `the trust store cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function certificatesIn(path: string): readonly Uint8Array[] {
  return readPem(readText(path), path).map(({ kind, der }) => {
    if (kind === 'certificate') return der
    throw new AuditError(
      'TRUST_STORE_MALFORMED',
      `${path}: expected certificates, found a revocation list: name it *.crl`,
    )
  })
}

function readText(path: string): string {
  try {
    const { size } = statSync(path)
    if (size > MAX_FILE_BYTES) throw new RangeError(`${path} has ${size} bytes, at most ${MAX_FILE_BYTES} are read`)
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new AuditError('TRUST_STORE_UNREADABLE', `the trust store cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** @returns the certificate's fingerprint */
function parsed(der: Uint8Array, name: string): string {
  try {
    return parseCertificate(der).fingerprint
  } catch (cause) {
    throw new AuditError('TRUST_STORE_MALFORMED', `${name}: expected an X.509 certificate: ${messageOf(cause)}`, {
      cause,
    })
  }
}
