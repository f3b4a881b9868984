import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import type { LedgerEvent } from '../ledger/event.ts'
import { ZERO_ADDRESS } from '../record/hash.ts'
import { TcgError } from '../tcg/error.ts'
import { akQualifiedNameOf } from '../tcg/name.ts'

/** The keys that speak for a host. */
export interface HostIdentity {
  /** SHA-256 part of the AK's qualified name; zero-length where the registered key has none. */
  readonly akQualifiedName: Hex
  readonly ledgerAddress: Hex
  /** Zero where it never had another. */
  readonly previousAddress: Hex
  /** The last block in which the previous address may submit; 0 where that was replaced. */
  readonly previousUntil: bigint
}

/** The identity that a registration gives. @param akPublic untrusted */
export function registeredIdentity(akPublic: Hex, ledgerAddress: Hex): HostIdentity {
  return { akQualifiedName: qualifiedName(akPublic), ledgerAddress, previousAddress: ZERO_ADDRESS, previousUntil: 0n }
}

/** The identity after an event, where the event changes it. */
export function identityAfter(before: HostIdentity | undefined, event: LedgerEvent): HostIdentity | undefined {
  if (event.name === 'HostRegistered') {
    return before ?? registeredIdentity(event.args.quote.akPublic, event.args.ledgerAddress)
  }
  if (event.name === 'LedgerAddressRotated') {
    const { from, to, overlapUntil } = event.args
    return before && { ...before, ledgerAddress: to, previousAddress: from, previousUntil: overlapUntil }
  }
  if (event.name === 'LedgerAddressReplaced') {
    const { from, to } = event.args
    return before && { ...before, ledgerAddress: to, previousAddress: from, previousUntil: 0n }
  }
  if (event.name === 'AttestationKeyReplaced') {
    return before && { ...before, akQualifiedName: event.args.akQualifiedName }
  }
  return before
}

/** For each event that names a host, the identity that the host had before it; undefined where it had none. */
export function identitiesOf(events: readonly LedgerEvent[]): ReadonlyMap<LedgerEvent, HostIdentity | undefined> {
  const present = new Map<Hex, HostIdentity>()
  const before = new Map<LedgerEvent, HostIdentity | undefined>()
  for (const event of events) {
    if (!('hostId' in event.args)) continue
    const { hostId } = event.args
    before.set(event, present.get(hostId))
    const after = identityAfter(present.get(hostId), event)
    if (after !== undefined) present.set(hostId, after)
  }
  return before
}

/** Whether an address may submit for a host in a block. */
export function maySpeak(identity: HostIdentity, address: Hex, block: bigint): boolean {
  if (address === identity.ledgerAddress) return true
  return address === identity.previousAddress && block <= identity.previousUntil
}

/** A key that has no qualified name is a finding of the registration's; no quote is by it. */
function qualifiedName(akPublic: Hex): Hex {
  try {
    return toHex(akQualifiedNameOf(fromHex(akPublic)))
  } catch (error) {
    if (error instanceof TcgError) return '0x'
    throw error
  }
}
