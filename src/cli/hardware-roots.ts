import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { HARDWARE_DIRECTORY } from '../auditor/add-to-trust-store.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import type { Hex } from '../core/bytes.ts'
import { sha256 } from '../record/hash.ts'

/**
 * SHA-256 fingerprints of the roots whose TPMs count as hardware: those of the directory that `--hardware` names, else those that
 * the trust store itself has marked. None where neither is: then no host counts as hardware.
 *
 * @param store undefined where no trust store is named
 * @throws AuditError
 */
export function hardwareRootsOf(store: string | undefined, named?: string): ReadonlySet<Hex> {
  const marked = store === undefined ? undefined : join(store, HARDWARE_DIRECTORY)
  const directory = named === undefined ? marked : resolve(named)
  if (directory === undefined || (named === undefined && !existsSync(directory))) return new Set()
  return new Set(readTrustStore(directory).map((certificate) => sha256(certificate)))
}
