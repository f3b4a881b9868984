import type { Hex } from '../../src/core/bytes.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { UNLIMITED, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'

/** 32 bytes, all the same. */
export function hash(byte: number): Hex {
  return `0x${byte.toString(16).padStart(2, '0').repeat(32)}`
}

/** 20 bytes, all the same. */
export function address(byte: number): Hex {
  return `0x${byte.toString(16).padStart(2, '0').repeat(20)}`
}

export const [HOST, VMM, DATA, OPERATION] = [hash(1), hash(2), hash(3), hash(4)]
export const [OWNER, BOB, CAROL, HOST_ADDRESS] = [address(0xa), address(0xb), address(0xc), address(0xd)]

type Args<Name extends LedgerEvent['name']> = Extract<LedgerEvent, { name: Name }>['args']

const CONTRACTS = {
  HostRegistered: 'hostRegistry',
  HostStatusChanged: 'hostRegistry',
  VmmProposed: 'vmmRegistry',
  VmmApproved: 'vmmRegistry',
  VmmRevoked: 'vmmRegistry',
  DataRegistered: 'accessPolicy',
  Granted: 'accessPolicy',
  GrantRevoked: 'accessPolicy',
  GrantUsed: 'accessPolicy',
  BatchCommitted: 'auditLog',
} as const

/** An event at a block; each block holds one. */
export function eventAt<Name extends LedgerEvent['name']>(block: number, name: Name, args: Args<Name>): LedgerEvent {
  const place = { blockNumber: BigInt(block), logIndex: 0, transactionHash: hash(block) }
  return { name, args, contract: CONTRACTS[name], ...place } as unknown as LedgerEvent
}

export function hostRegistered(block: number, args: Partial<Args<'HostRegistered'>> = {}): LedgerEvent {
  return eventAt(block, 'HostRegistered', {
    ...{ hostId: HOST, ledgerAddress: HOST_ADDRESS, assurance: 1, registrar: OWNER, anchorBlock: 0n },
    ...{ ekPublic: '0x', akPublic: '0x', ekCertificate: '0x', quote: { attest: '0x', r: ZERO_HASH, s: ZERO_HASH } },
    ...args,
  })
}

export function vmmProposed(block: number, epoch = 1, vmmHash = VMM): LedgerEvent {
  return eventAt(block, 'VmmProposed', { vmmHash, hostId: HOST, epoch, manifestHash: ZERO_HASH, attested: '0x' })
}

export function vmmApproved(block: number, args: Partial<Args<'VmmApproved'>> = {}): LedgerEvent {
  return eventAt(block, 'VmmApproved', { vmmHash: VMM, approver: OWNER, epoch: 1, approvals: 1, status: 2, ...args })
}

export function vmmRevoked(block: number, epoch = 1): LedgerEvent {
  return eventAt(block, 'VmmRevoked', { vmmHash: VMM, approver: OWNER, epoch })
}

export function granted(block: number, grantId: Hex, parts: Partial<Grant> = {}, grantor = OWNER): LedgerEvent {
  const grant = { ...GRANT, ...parts }
  return eventAt(block, 'Granted', { grantId, dataId: grant.dataId, grantor, grant })
}

/** The owner's grant to Bob, of everything and for ever, which he may delegate. */
export const GRANT: Grant = {
  dataId: DATA,
  grantee: BOB,
  operationId: ZERO_HASH,
  notBefore: 0n,
  notAfter: UNLIMITED,
  maxUses: UNLIMITED,
  vmmHash: ZERO_HASH,
  hostId: ZERO_HASH,
  minAssurance: 1,
  delegationDepth: 1,
  parent: ZERO_HASH,
  salt: ZERO_HASH,
}
