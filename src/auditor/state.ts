import type { Hex } from '../core/bytes.ts'
import type {
  DataRegistered,
  Granted,
  GrantRevoked,
  GrantUsed,
  HostRegistered,
  HostStatusChanged,
  LedgerEvent,
  VmmApproved,
  VmmProposed,
  VmmRevoked,
} from '../ledger/event.ts'
import { HOST_STATUSES, VMM_STATUSES, type HostStatus, type VmmStatus } from '../ledger/state.ts'
import type { Grant } from '../record/grant.ts'

/** A value and the block from whose end on it stood. */
export interface Change<Value> {
  readonly block: bigint
  readonly value: Value
}

export interface HostHistory {
  readonly registered: HostRegistered
  /** Oldest first. */
  readonly statuses: Change<HostStatus>[]
}

/** One proposal of a VMM, and what became of it. */
export interface VmmEpoch {
  readonly proposed: VmmProposed
  readonly approvals: VmmApproved[]
  authorisedAt: bigint
  revokedAt: bigint
}

export interface VmmHistory {
  /** Oldest first; the n-th has the epoch number n. */
  readonly epochs: VmmEpoch[]
  readonly statuses: Change<VmmStatus>[]
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
  readonly hosts = new Map<Hex, HostHistory>()
  readonly vmms = new Map<Hex, VmmHistory>()
  readonly data = new Map<Hex, DataRegistered>()
  readonly grants = new Map<Hex, GrantHistory>()

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
      case 'VmmProposed':
        return this.#vmmProposed(event)
      case 'VmmApproved':
        return this.#vmmApproved(event)
      case 'VmmRevoked':
        return this.#vmmRevoked(event)
      case 'DataRegistered':
        return this.#dataRegistered(event)
      case 'Granted':
        return this.#granted(event)
      case 'GrantRevoked':
        return this.#grantRevoked(event)
      case 'GrantUsed':
        return this.#grantUsed(event)
      case 'BatchCommitted':
        return undefined
    }
  }

  /** A host's status at the end of a block, `None` before it was registered. */
  hostStatus(hostId: Hex, asOf: bigint): HostStatus {
    return valueAt(this.hosts.get(hostId)?.statuses, asOf) ?? 'None'
  }

  /** Whether a VMM was authorised at the end of a block. */
  vmmAuthorised(vmmHash: Hex, asOf: bigint): boolean {
    return valueAt(this.vmms.get(vmmHash)?.statuses, asOf) === 'Authorised'
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
    const { hostId } = event.args
    if (this.hosts.has(hostId)) return `host ${hostId} is registered twice`
    this.hosts.set(hostId, { registered: event, statuses: [{ block: event.blockNumber, value: 'Active' }] })
    return undefined
  }

  #hostStatusChanged({ args: { hostId, status }, blockNumber }: HostStatusChanged): string | undefined {
    const host = this.hosts.get(hostId)
    if (host === undefined) return `the status of host ${hostId} changes, which is not registered`
    const before = host.statuses.at(-1)?.value
    const value = HOST_STATUSES[status] ?? 'None'
    host.statuses.push({ block: blockNumber, value })
    const isStep = (before === 'Active' && value === 'Suspended') || (before === 'Suspended' && value === 'Active')
    return isStep ? undefined : `host ${hostId} goes from ${String(before)} to status ${status}`
  }

  #vmmProposed(event: VmmProposed): string | undefined {
    const { vmmHash, epoch } = event.args
    const vmm = this.vmms.get(vmmHash) ?? { epochs: [], statuses: [] }
    this.vmms.set(vmmHash, vmm)
    const before = vmm.statuses.at(-1)?.value ?? 'None'
    vmm.epochs.push({ proposed: event, approvals: [], authorisedAt: 0n, revokedAt: 0n })
    vmm.statuses.push({ block: event.blockNumber, value: 'Proposed' })
    if (epoch !== vmm.epochs.length) return `proposal ${vmm.epochs.length} of vmm ${vmmHash} has epoch ${epoch}`
    if (before === 'None' || before === 'Revoked') return undefined
    return `vmm ${vmmHash} is proposed while it is ${before}`
  }

  #vmmApproved(event: VmmApproved): string | undefined {
    const { vmmHash, approver, approvals, epoch: number } = event.args
    const vmm = this.vmms.get(vmmHash)
    const epoch = vmm?.epochs.at(-1)
    if (vmm === undefined || epoch === undefined) return `vmm ${vmmHash} is approved, which was never proposed`
    const before = vmm.statuses.at(-1)?.value
    const isRepeated = epoch.approvals.some(({ args }) => args.approver === approver)
    epoch.approvals.push(event)
    const status = VMM_STATUSES[event.args.status]
    if (status === 'Authorised') {
      epoch.authorisedAt = event.blockNumber
      vmm.statuses.push({ block: event.blockNumber, value: status })
    }
    if (before !== 'Proposed') return `vmm ${vmmHash} is approved while it is ${String(before)}`
    if (number !== vmm.epochs.length) return `vmm ${vmmHash} is approved in epoch ${number} of ${vmm.epochs.length}`
    if (isRepeated) return `vmm ${vmmHash} is approved twice by ${approver}`
    if (approvals === epoch.approvals.length) return undefined
    return `approval ${epoch.approvals.length} of vmm ${vmmHash} is counted as ${approvals}`
  }

  #vmmRevoked({ args: { vmmHash, epoch: number }, blockNumber }: VmmRevoked): string | undefined {
    const vmm = this.vmms.get(vmmHash)
    const epoch = vmm?.epochs.at(-1)
    if (vmm === undefined || epoch === undefined) return `vmm ${vmmHash} is revoked, which was never proposed`
    const before = vmm.statuses.at(-1)?.value
    epoch.revokedAt = blockNumber
    vmm.statuses.push({ block: blockNumber, value: 'Revoked' })
    if (before === 'Revoked') return `vmm ${vmmHash} is revoked twice`
    if (number === vmm.epochs.length) return undefined
    return `vmm ${vmmHash} is revoked in epoch ${number} of ${vmm.epochs.length}`
  }

  #dataRegistered(event: DataRegistered): string | undefined {
    const { dataId } = event.args
    if (this.data.has(dataId)) return `data ${dataId} is registered twice`
    this.data.set(dataId, event)
    return undefined
  }

  #granted(event: Granted): string | undefined {
    const { grantId, dataId, grant } = event.args
    if (this.grants.has(grantId)) return `grant ${grantId} is granted twice`
    this.grants.set(grantId, { grantId, grant, granted: event, revoked: undefined, used: [] })
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

  #grantUsed({ args: { grantId, uses }, blockNumber }: GrantUsed): string | undefined {
    const grant = this.grants.get(grantId)
    if (grant === undefined) return `grant ${grantId} is used, which was never granted`
    const next = this.usesOf(grantId) + 1n
    grant.used.push({ block: blockNumber, value: uses })
    return uses === next ? undefined : `use ${next.toString()} of grant ${grantId} is counted as ${uses.toString()}`
  }
}

function valueAt<Value>(changes: readonly Change<Value>[] | undefined, asOf: bigint): Value | undefined {
  return changes?.findLast(({ block }) => block <= asOf)?.value
}
