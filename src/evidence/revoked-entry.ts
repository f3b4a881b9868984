import { toHex, type Hex } from '../core/bytes.ts'
import { ReadError } from '../core/reader.ts'
import { childrenOf, DER, readDer, tagged, type DerValue } from './der.ts'
import { EvidenceError } from './error.ts'
import { decodeExtensions } from './x509-extension.ts'
import { timeOf } from './x509-time.ts'

/** Since when a certificate does not count any more. */
export interface Revocation {
  /** Milliseconds since the epoch: the revocation's date or, where it is named and earlier, that from which the key was in doubt. */
  readonly fromMs: number
  /** Whether a key was compromised: then nothing that it did can be told from what its thief did, whatever the dates say. */
  readonly always: boolean
}

const REASON_CODE = '2.5.29.21'
const INVALIDITY_DATE = '2.5.29.24'
/** keyCompromise, cACompromise, aACompromise (RFC 5280, section 5.3.1; that of attribute authorities is none of a TPM's, and no better). */
const COMPROMISED = [1, 2, 10]
const REASONS = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]
const REMOVE_FROM_CRL = 8

/**
 * Reads the entries of a complete revocation list (RFC 5280, section 5.3), by serial number. Where a number stands twice the earlier
 * date counts, and a compromise that either names.
 *
 * @param entries untrusted
 * @throws ReadError; EvidenceError `CRL_EXTENSION` for a critical extension, and for an entry that takes another back
 */
export function revokedIn(entries: readonly DerValue[]): ReadonlyMap<Hex, Revocation> {
  const revoked = new Map<Hex, Revocation>()
  for (const entry of entries) {
    const { serialNumber, fromMs, always } = decodeEntry(entry)
    const other = revoked.get(serialNumber)
    revoked.set(serialNumber, {
      fromMs: Math.min(fromMs, other?.fromMs ?? fromMs),
      always: always || other?.always === true,
    })
  }
  return revoked
}

function decodeEntry(entry: DerValue): Revocation & { readonly serialNumber: Hex } {
  const [serialNumber, date, extensions, ...more] = childrenOf(tagged(entry, DER.SEQUENCE))
  if (more.length > 0) throw new ReadError('expected an entry of at most three parts')
  let fromMs = timeOf(date).valueOf()
  let always = false
  for (const extension of extensions === undefined ? [] : decodeExtensions(extensions)) {
    const { type, critical, value } = extension
    if (critical) throw new EvidenceError('CRL_EXTENSION', `an entry has the critical extension ${type}`)
    if (type === REASON_CODE) always = COMPROMISED.includes(reasonOf(value))
    if (type === INVALIDITY_DATE) {
      fromMs = Math.min(fromMs, timeOf(tagged(readDer(value), DER.GENERALIZED_TIME)).valueOf())
    }
  }
  return { serialNumber: toHex(tagged(serialNumber, DER.INTEGER).content), fromMs, always }
}

function reasonOf(value: Uint8Array): number {
  const { content } = tagged(readDer(value), DER.ENUMERATED)
  const [reason = -1] = content
  if (reason === REMOVE_FROM_CRL)
    throw new EvidenceError('CRL_EXTENSION', 'an entry removes another, as in a delta list')
  // What its issuer meant by another one cannot be told, so not either whether it was a compromise.
  if (content.length !== 1 || !REASONS.includes(reason)) throw new ReadError('expected a reason for a revocation')
  return reason
}
