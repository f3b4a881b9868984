import type { Hex } from '../core/bytes.ts'
import type {
  AttestationKeyReplaced,
  DataRegistered,
  Granted,
  GrantCancelled,
  GrantRevoked,
  GrantUsed,
  HostRegistered,
  HostStatusChanged,
  LedgerAddressReplaced,
  LedgerAddressRotated,
  LedgerEvent,
  OwnershipAccepted,
  OwnershipOffered,
  VmmAuthorised,
  VmmProposed,
  VmmProven,
  VmmRevoked,
} from '../ledger/event.ts'
import { HOST_STATUSES, NO_END, type HostStatus, type VmmStatus } from '../ledger/state.ts'
import type { Grant } from '../record/grant.ts'
import { ZERO_ADDRESS, ZERO_HASH } from '../record/hash.ts'
import { DecisionHistory } from './decision-history.ts'
import { valueAt, type Change } from './history.ts'
import { identityAfter, registeredIdentity, type HostIdentity } from './host-identity.ts'

export interface HostHistory {
  readonly registered: HostRegistered
  /** Oldest first. */
  readonly statuses: Change<HostStatus>[]
  /** The keys that speak for it after the last event. */
  identity: HostIdentity
  /** Every ledger address that ever spoke for it. */
  readonly addresses: Hex[]
  /** The hash of the last proof of fraud, zero for none. */
  fraud: Hex
}

/** A VMM's status, and the end of its validity in seconds since the epoch, 0 before it was authorised. */
export interface VmmStanding {
  readonly status: VmmStatus
  readonly validUntil: bigint
}

export interface VmmHistory {
  /** Oldest first; the n-th has the epoch number n. */
  readonly proposals: VmmProposed[]
  readonly standings: Change<VmmStanding>[]
  /** Whether a quote showed it in its present epoch. */
  isProven: boolean
}

export interface DataHistory {
  readonly registered: DataRegistered
  /** Oldest first. */
  readonly owners: Change<Hex>[]
  /** Who may accept the ownership, zero for nobody. */
  candidate: Hex
}

export interface GrantHistory {
  readonly grantId: Hex
  readonly grant: Grant
  readonly granted: Granted
  revoked: GrantRevoked | undefined
  /** How often it counted as used, oldest first. */
  readonly used: Change<bigint>[]
}

/**
 * All that the ledger's events say, each thing with its history, so that the state at the end of any block can be told.
 *
 * Pure: it knows the events and nothing else. They are applied in the order of the ledger.
 */
export class LedgerHistory {
  readonly decisions = new DecisionHistory()
  readonly hosts = new Map<Hex, HostHistory>()
  readonly vmms = new Map<Hex, VmmHistory>()
  readonly data = new Map<Hex, DataHistory>()
  readonly grants = new Map<Hex, GrantHistory>()
  readonly #cancelled = new Set<string>()

  /**
   * Applies one event, as far as it can be applied, so that what follows is judged on its own.
   *
   * @returns in words, how it contradicts the events before it; undefined where it does not
   */
  apply(event: LedgerEvent): string | undefined {
    switch (event.name) {
      case 'HostRegistered':
        return this.#hostRegistered(event)
      case 'HostStatusChanged':
        return this.#hostStatusChanged(event)
      case 'LedgerAddressRotated':
      case 'LedgerAddressReplaced':
      case 'AttestationKeyReplaced':
        return this.#identityChanged(event)
      case 'RegistrarChanged':
        return this.decisions.registrarChanged(event)
      case 'DecisionApproved':
        return this.decisions.approved(event)
      case 'ApproversChanged':
        return this.decisions.approversChanged(event)
      case 'VmmProposed':
        return this.#vmmProposed(event)
      case 'VmmProven':
        return this.#vmmProven(event)
      case 'VmmAuthorised':
        return this.#vmmAuthorised(event)
      case 'VmmRevoked':
        return this.#vmmRevoked(event)
      case 'DataRegistered':
        return this.#dataRegistered(event)
      case 'OwnershipOffered':
        return this.#ownershipOffered(event)
      case 'OwnershipAccepted':
        return this.#ownershipAccepted(event)
      case 'Granted':
        return this.#granted(event)
      case 'GrantRevoked':
        return this.#grantRevoked(event)
      case 'GrantCancelled':
        return this.#grantCancelled(event)
      case 'GrantUsed':
        return this.#grantUsed(event)
      case 'BatchCommitted':
        return undefined
      case 'FraudProven': {
        const host = this.hosts.get(event.args.hostId)
        if (host === undefined) return `fraud is proven of host ${event.args.hostId}, which is not registered`
        host.fraud = event.args.proofHash
        return undefined
      }
    }
  }

  /** A host's status at the end of a block, `None` before it was registered. */
  hostStatus(hostId: Hex, asOf: bigint): HostStatus {
    return valueAt(this.hosts.get(hostId)?.statuses, asOf) ?? 'None'
  }

  /** Whether a VMM was authorised at the end of a block, and valid at a time. @param at seconds since the epoch */
  vmmAuthorised(vmmHash: Hex, asOf: bigint, at: bigint): boolean {
    const standing = valueAt(this.vmms.get(vmmHash)?.standings, asOf)
    return standing?.status === 'Authorised' && at <= standing.validUntil
  }

  /** The owner of data at the end of a block, undefined before it was registered. */
  ownerAt(dataId: Hex, asOf: bigint): Hex | undefined {
    return valueAt(this.data.get(dataId)?.owners, asOf)
  }

  /** The owner of data after the last event. */
  ownerOf(dataId: Hex): Hex | undefined {
    return this.data.get(dataId)?.owners.at(-1)?.value
  }

  /** How often a grant counted as used at the end of a block, itself or by what was delegated from it. */
  usesAt(grantId: Hex, asOf: bigint): bigint {
    return valueAt(this.grants.get(grantId)?.used, asOf) ?? 0n
  }

  /** How often a grant counts as used after the last event. */
  usesOf(grantId: Hex): bigint {
    return this.grants.get(grantId)?.used.at(-1)?.value ?? 0n
  }

  /** A grant, then what it was delegated from, up to the data owner's or to the first that is not known. */
  chainOf(grantId: Hex): readonly GrantHistory[] {
    const chain: GrantHistory[] = []
    for (let link = this.grants.get(grantId); link !== undefined; link = this.grants.get(link.grant.parent)) {
      // On the ledger a parent stands before its child, so a chain ends; a lying node's need not.
      if (chain.includes(link)) break
      chain.push(link)
    }
    return chain
  }

  #hostRegistered(event: HostRegistered): string | undefined {
    const { hostId, ledgerAddress, quote } = event.args
    if (this.hosts.has(hostId)) return `host ${hostId} is registered twice`
    this.hosts.set(hostId, {
      registered: event,
      statuses: [{ block: event.blockNumber, value: 'Active' }],
      identity: registeredIdentity(quote.akPublic, ledgerAddress),
      addresses: [ledgerAddress],
      fraud: ZERO_HASH,
    })
    return undefined
  }

  #hostStatusChanged({ args: { hostId, status }, blockNumber }: HostStatusChanged): string | undefined {
    const host = this.hosts.get(hostId)
    if (host === undefined) return `the status of host ${hostId} changes, which is not registered`
    const before = host.statuses.at(-1)?.value
    const value = HOST_STATUSES[status] ?? 'None'
    host.statuses.push({ block: blockNumber, value })
    const isStep =
      (before === 'Active' && value === 'Suspended') ||
      (before === 'Suspended' && value === 'Active') ||
      (before !== 'Retired' && value === 'Retired')
    return isStep ? undefined : `host ${hostId} goes from ${String(before)} to status ${status}`
  }

  #identityChanged(event: LedgerAddressRotated | LedgerAddressReplaced | AttestationKeyReplaced): string | undefined {
    const { hostId } = event.args
    const host = this.hosts.get(hostId)
    if (host === undefined) return `the keys of host ${hostId} change, which is not registered`
    const before = host.identity
    host.identity = identityAfter(before, event) ?? before
    const status = host.statuses.at(-1)?.value
    if (status === 'Retired') return `the keys of host ${hostId} change, which is retired`
    if (event.name === 'AttestationKeyReplaced') return undefined
    const { from, to } = event.args
    const holder = [...this.hosts].find(([, { addresses }]) => addresses.includes(to))?.[0]
    host.addresses.push(to)
    if (from !== before.ledgerAddress) return `host ${hostId} rotates from ${from}, it has ${before.ledgerAddress}`
    if (event.name === 'LedgerAddressReplaced') {
      if (status !== 'Suspended') return `the address of host ${hostId} is replaced, which is ${String(status)}`
    } else if (event.blockNumber <= before.previousUntil) {
      return `host ${hostId} rotates while its last rotation still runs`
    }
    return holder === undefined ? undefined : `host ${hostId} takes the ledger address ${to} of host ${holder}`
  }

  #vmmProposed(event: VmmProposed): string | undefined {
    const { vmmHash, epoch, hostId } = event.args
    const vmm = this.vmms.get(vmmHash) ?? { proposals: [], standings: [], isProven: false }
    this.vmms.set(vmmHash, vmm)
    const before = vmm.standings.at(-1)?.value
    vmm.proposals.push(event)
    vmm.standings.push({ block: event.blockNumber, value: { status: 'Proposed', validUntil: 0n } })
    vmm.isProven = hostId !== ZERO_HASH
    if (epoch !== vmm.proposals.length) return `proposal ${vmm.proposals.length} of vmm ${vmmHash} has epoch ${epoch}`
    // One whose validity is over may be proposed anew; whether it was over, the block's time says, which no event has.
    if (before === undefined || before.status === 'Revoked') return undefined
    if (before.status === 'Authorised' && before.validUntil !== NO_END) return undefined
    return `vmm ${vmmHash} is proposed while it is ${before.status}`
  }

  #vmmProven({ args: { vmmHash, epoch } }: VmmProven): string | undefined {
    const vmm = this.vmms.get(vmmHash)
    if (vmm === undefined) return `vmm ${vmmHash} is proven, which was never proposed`
    const wasProven = vmm.isProven
    vmm.isProven = true
    if (wasProven) return `vmm ${vmmHash} is proven twice`
    if (epoch === vmm.proposals.length) return undefined
    return `vmm ${vmmHash} is proven in epoch ${epoch} of ${vmm.proposals.length}`
  }

  #vmmAuthorised({ args: { vmmHash, epoch, validUntil }, blockNumber }: VmmAuthorised): string | undefined {
    const vmm = this.vmms.get(vmmHash)
    if (vmm === undefined) return `vmm ${vmmHash} is authorised, which was never proposed`
    const before = vmm.standings.at(-1)?.value.status
    vmm.standings.push({ block: blockNumber, value: { status: 'Authorised', validUntil } })
    if (before !== 'Proposed') return `vmm ${vmmHash} is authorised while it is ${String(before)}`
    if (epoch === vmm.proposals.length) return undefined
    return `vmm ${vmmHash} is authorised in epoch ${epoch} of ${vmm.proposals.length}`
  }

  #vmmRevoked({ args: { vmmHash, epoch }, blockNumber }: VmmRevoked): string | undefined {
    const vmm = this.vmms.get(vmmHash)
    const before = vmm?.standings.at(-1)?.value
    if (vmm === undefined || before === undefined) return `vmm ${vmmHash} is revoked, which was never proposed`
    vmm.standings.push({ block: blockNumber, value: { status: 'Revoked', validUntil: before.validUntil } })
    if (before.status === 'Revoked') return `vmm ${vmmHash} is revoked twice`
    if (epoch === vmm.proposals.length) return undefined
    return `vmm ${vmmHash} is revoked in epoch ${epoch} of ${vmm.proposals.length}`
  }

  #dataRegistered(event: DataRegistered): string | undefined {
    const { dataId, owner } = event.args
    if (this.data.has(dataId)) return `data ${dataId} is registered twice`
    const owners = [{ block: event.blockNumber, value: owner }]
    this.data.set(dataId, { registered: event, owners, candidate: ZERO_ADDRESS })
    return undefined
  }

  #ownershipOffered({ args: { dataId, owner, candidate } }: OwnershipOffered): string | undefined {
    const data = this.data.get(dataId)
    if (data === undefined) return `the ownership of data ${dataId} is offered, which is not registered`
    data.candidate = candidate
    const before = this.ownerOf(dataId)
    return owner === before ? undefined : `data ${dataId} is offered by ${owner}, its owner is ${String(before)}`
  }

  #ownershipAccepted({ args, blockNumber }: OwnershipAccepted): string | undefined {
    const { dataId, previousOwner, owner } = args
    const data = this.data.get(dataId)
    if (data === undefined) return `the ownership of data ${dataId} is accepted, which is not registered`
    const [before, candidate] = [this.ownerOf(dataId), data.candidate]
    data.owners.push({ block: blockNumber, value: owner })
    data.candidate = ZERO_ADDRESS
    if (previousOwner !== before) return `data ${dataId} moves from ${previousOwner}, its owner is ${String(before)}`
    return owner === candidate ? undefined : `data ${dataId} is accepted by ${owner}, it was offered to ${candidate}`
  }

  #granted(event: Granted): string | undefined {
    const { grantId, dataId, grant, grantor } = event.args
    if (this.grants.has(grantId)) return `grant ${grantId} is granted twice`
    this.grants.set(grantId, { grantId, grant, granted: event, revoked: undefined, used: [] })
    if (this.#cancelled.has(`${grantor}/${grantId}`)) return `grant ${grantId} was cancelled by ${grantor} before`
    if (dataId === grant.dataId) return undefined
    return `grant ${grantId} is for data ${grant.dataId}, its event says ${dataId}`
  }

  #grantRevoked(event: GrantRevoked): string | undefined {
    const grant = this.grants.get(event.args.grantId)
    if (grant === undefined) return `grant ${event.args.grantId} is revoked, which was never granted`
    if (grant.revoked !== undefined) return `grant ${event.args.grantId} is revoked twice`
    grant.revoked = event
    return undefined
  }

  #grantCancelled({ args: { grantId, grantor } }: GrantCancelled): string | undefined {
    this.#cancelled.add(`${grantor}/${grantId}`)
    return this.grants.has(grantId) ? `grant ${grantId} is cancelled after it was granted` : undefined
  }

  #grantUsed({ args: { grantId, uses }, blockNumber }: GrantUsed): string | undefined {
    const grant = this.grants.get(grantId)
    if (grant === undefined) return `grant ${grantId} is used, which was never granted`
    const before = this.usesOf(grantId)
    grant.used.push({ block: blockNumber, value: uses })
    if (uses > before && uses <= grant.grant.maxUses) return undefined
    return `the uses of grant ${grantId} go from ${before.toString()} to ${uses.toString()}`
  }
}
