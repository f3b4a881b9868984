import { toHex, type Hex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { requireAttestationKey } from '../tcg/attestation-key.ts'
import { TcgError } from '../tcg/error.ts'
import { akQualifiedNameOf } from '../tcg/name.ts'
import { decodePublic } from '../tcg/public.ts'
import { EnrolError } from './enrol-error.ts'

/** A host as the ledger knows it. */
export interface EnrolledHost {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  readonly assurance: 'Software' | 'Hardware'
  /** Whether it was registered now; else it had been before, with the same keys. */
  readonly registered: boolean
}

/** A host by its keys. Untrusted. */
export interface HostKeys {
  readonly hostId: Hex
  readonly akPublic: Uint8Array
  readonly ledgerAddress: Hex
}

/**
 * Looks a host up by all of its keys: recognises the one that has them, and refuses one that has only some.
 *
 * @returns undefined where neither host nor address is on the ledger
 * @throws EnrolError `HOST_EXISTS`, `ADDRESS_TAKEN`, `AK_UNSUITABLE`; LedgerError
 */
export async function knownHost(ledger: Ledger, keys: HostKeys): Promise<EnrolledHost | undefined> {
  const { hostId, ledgerAddress } = keys
  const akQualifiedName = toHex(suitableAk(keys.akPublic))
  const host = await ledger.host(hostId)
  if (host.status === 'None' || host.assurance === 'None') {
    const other = await ledger.hostOf(ledgerAddress)
    if (other === ZERO_HASH) return undefined
    throw new EnrolError('ADDRESS_TAKEN', `the HSM's ledger address ${ledgerAddress} speaks for the host ${other}`)
  }
  if (host.akQualifiedName !== akQualifiedName) {
    throw new EnrolError('HOST_EXISTS', `${hostId} is registered with another attestation key`)
  }
  if (host.ledgerAddress !== ledgerAddress) {
    throw new EnrolError(
      'HOST_EXISTS',
      `${hostId} is registered with the ledger address ${host.ledgerAddress}, the HSM has ${ledgerAddress}`,
    )
  }
  return { hostId, ledgerAddress, assurance: host.assurance, registered: false }
}

/**
 * The SHA-256 part of an AK's qualified name, where its quotes are worth something.
 *
 * @throws EnrolError `AK_UNSUITABLE`
 */
export function suitableAk(akPublic: Uint8Array): Uint8Array {
  try {
    requireAttestationKey(decodePublic(akPublic))
    return akQualifiedNameOf(akPublic)
  } catch (cause) {
    if (cause instanceof TcgError) throw new EnrolError('AK_UNSUITABLE', cause.message, { cause })
    throw cause
  }
}
