import type { Hex } from '../../src/core/bytes.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { NO_END } from '../../src/ledger/state.ts'
import { decisionHash } from '../../src/record/decision.ts'
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
  LedgerAddressRotated: 'hostRegistry',
  LedgerAddressReplaced: 'hostRegistry',
  AttestationKeyReplaced: 'hostRegistry',
  RegistrarChanged: 'hostRegistry',
  DecisionApproved: 'vmmRegistry',
  ApproversChanged: 'vmmRegistry',
  VmmProven: 'vmmRegistry',
  VmmAuthorised: 'vmmRegistry',
  VmmRevoked: 'vmmRegistry',
  DataRegistered: 'accessPolicy',
  OwnershipOffered: 'accessPolicy',
  OwnershipAccepted: 'accessPolicy',
  GrantCancelled: 'accessPolicy',
  Granted: 'accessPolicy',
  GrantRevoked: 'accessPolicy',
  GrantUsed: 'accessPolicy',
  BatchCommitted: 'auditLog',
  FraudProven: 'auditLog',
} as const

/** An event at a block; each block holds one. */
export function eventAt<Name extends LedgerEvent['name']>(block: number, name: Name, args: Args<Name>): LedgerEvent {
  const place = { blockNumber: BigInt(block), logIndex: 0, transactionHash: hash(block) }
  return { name, args, contract: CONTRACTS[name], ...place } as unknown as LedgerEvent
}

const QUOTE = { akPublic: '0x', attest: '0x', signature: '0x' } as const

export function hostRegistered(block: number, args: Partial<Args<'HostRegistered'>> = {}): LedgerEvent {
  return eventAt(block, 'HostRegistered', {
    ...{ hostId: HOST, ledgerAddress: HOST_ADDRESS, assurance: 1, registrar: OWNER, anchorBlock: 0n },
    ...{ ekPublic: '0x', ekCertificate: '0x', quote: QUOTE },
    ...args,
  })
}

export function vmmProposed(block: number, epoch = 1, vmmHash = VMM): LedgerEvent {
  return eventAt(block, 'VmmProposed', { vmmHash, hostId: HOST, epoch, manifestHash: ZERO_HASH, attested: '0x' })
}

export function vmmAuthorised(block: number, args: Partial<Args<'VmmAuthorised'>> = {}): LedgerEvent {
  return eventAt(block, 'VmmAuthorised', { vmmHash: VMM, epoch: 1, validUntil: NO_END, ...args })
}

export function approversChanged(block: number, args: Partial<Args<'ApproversChanged'>> = {}): LedgerEvent {
  return eventAt(block, 'ApproversChanged', { term: 1, approvers: [OWNER, BOB], threshold: 2, ...args })
}

/** An approval of a VMM, by default of its first epoch, without an end. */
export function approved(block: number, approver: Hex, args: Partial<Args<'DecisionApproved'>> = {}): LedgerEvent {
  const content = { vmmHash: VMM, epoch: 1, manifestHash: ZERO_HASH, validUntil: NO_END, term: 1 }
  const decision = decisionHash({ kind: 'VmmApproval', content })
  return eventAt(block, 'DecisionApproved', { decision, approver, term: 1, approvals: 1, ...args })
}

export function registrarChanged(block: number, args: Partial<Args<'RegistrarChanged'>> = {}): LedgerEvent {
  return eventAt(block, 'RegistrarChanged', { registrar: OWNER, isRegistrar: true, nonce: 1n, ...args })
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
