import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { EnrolTrust } from '../agent/registrar.ts'
import { readRevocationStore } from '../auditor/revocation-store.ts'
import { readTrustStore } from '../auditor/trust-store.ts'
import { stackDirectory, type PlaceOptions } from './context.ts'
import { hardwareRootsOf } from './hardware-roots.ts'

/** Whose TPMs are trusted. */
export interface TrustOptions extends PlaceOptions {
  readonly trust?: string
  readonly hardware?: string
  readonly requireLists?: boolean
}

/** `--trust`, `--hardware`, `--require-lists`. */
export function withTrust(command: Command): Command {
  return command
    .option('--trust <directory>', 'the trusted TPM vendors’ certificates, PEM (by default the local stack’s)')
    .option('--hardware <directory>', 'of those, the makers of hardware TPMs (by default those that the store marks)')
    .option('--require-lists', 'refuse a TPM that no revocation list covers', false)
}

/** The trust store that the options name. @throws AuditError */
export function enrolTrustOf(options: TrustOptions): EnrolTrust {
  const store = resolve(options.trust ?? join(stackDirectory(options), 'trust'))
  return storedTrust(store, options.requireLists === true, options.hardware)
}

/**
 * What is in a trust store, as EK certificates are held against it.
 *
 * @param required whether what no revocation list covers is refused
 * @param hardware a directory of roots of hardware, instead of those that the store has marked
 * @throws AuditError
 */
export function storedTrust(store: string, required: boolean, hardware?: string): Required<EnrolTrust> {
  const { lists, leastNumbers } = readRevocationStore(store)
  return {
    trustAnchors: readTrustStore(store),
    hardwareRoots: hardwareRootsOf(store, hardware),
    revocationLists: lists.map(({ der }) => der),
    revocation: { leastNumbers, required },
  }
}
