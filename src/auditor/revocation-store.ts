import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../core/error.ts'
import { parseRevocationList, type RevocationList } from '../evidence/revocation-list.ts'
import { listIssuer } from '../evidence/revocation.ts'
import { AuditError } from './error.ts'
import { readPem } from './pem.ts'

/** The revocation lists of a trust store, and the least number that a list of each issuer may have. */
export interface RevocationStore {
  readonly lists: readonly { readonly file: string; readonly der: Uint8Array; readonly list: RevocationList }[]
  /** By `listIssuer`. */
  readonly leastNumbers: ReadonlyMap<string, bigint>
}

/** Files of one PEM revocation list each; the reader of certificates leaves them alone. */
export const LIST_FILE = /\.crl$/i
/** JSON: the highest number seen of each issuer's lists, in decimal. */
export const SEEN_FILE = 'revocation-lists-seen.json'
const MAX_FILE_BYTES = 8_388_608

/**
 * Reads the revocation lists of a trust store: the files `*.crl`, PEM.
 *
 * @throws AuditError `TRUST_STORE_UNREADABLE`, `TRUST_STORE_MALFORMED`; `REVOCATION_LIST_OLDER` where somebody put an older list
 * in the place of one that was seen before: what the newer one revoked would count as good
 */
export function readRevocationStore(directory: string): RevocationStore {
  const leastNumbers = readSeen(directory)
  const lists = namesIn(directory).map((file) => {
    const [block, ...more] = readPem(readText(join(directory, file)), file)
    if (block?.kind !== 'revocation-list' || more.length > 0) throw malformed(`${file}: expected one revocation list`)
    return { file, der: block.der, list: parsed(block.der, file) }
  })
  for (const [issuer, least] of leastNumbers) {
    const newest = lists.filter(({ list }) => listIssuer(list) === issuer).map(({ list }) => list.number)
    if (!newest.some((number) => number >= least)) {
      const found = newest.length === 0 ? 'none' : newest.join(', ')
      throw new AuditError(
        'REVOCATION_LIST_OLDER',
        `${directory}: a revocation list of number ${least} was here, found ${found} of its issuer`,
      )
    }
  }
  return { lists, leastNumbers }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
      .filter((name) => LIST_FILE.test(name))
      .sort()
  } catch (cause) {
    throw new AuditError('TRUST_STORE_UNREADABLE', `the trust store cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function readSeen(directory: string): ReadonlyMap<string, bigint> {
  const path = join(directory, SEEN_FILE)
  if (!existsSync(path)) return new Map()
  try {
    const entries = Object.entries(JSON.parse(readText(path)) as Record<string, unknown>)
    return new Map(
      entries.map(([issuer, number]) => {
        if (typeof number !== 'string' || !/^\d{1,50}$/.test(number)) throw new RangeError('expected decimal numbers')
        return [issuer, BigInt(number)]
      }),
    )
  } catch (cause) {
    if (cause instanceof AuditError) throw cause
    throw malformed(`${path}: ${messageOf(cause)}`, cause)
  }
}

function readText(path: string): string {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.length > MAX_FILE_BYTES) throw new RangeError(`${path} is larger than ${MAX_FILE_BYTES} bytes`)
    return text
  } catch (cause) {
    throw new AuditError('TRUST_STORE_UNREADABLE', `the trust store cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function parsed(der: Uint8Array, file: string): RevocationList {
  try {
    return parseRevocationList(der)
  } catch (cause) {
    throw malformed(`${file}: ${messageOf(cause)}`, cause)
  }
}

function malformed(message: string, cause?: unknown): AuditError {
  return new AuditError('TRUST_STORE_MALFORMED', message, { cause })
}
