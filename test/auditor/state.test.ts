import assert from 'node:assert/strict'
import { maySpeak } from '../../src/auditor/host-identity.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import type { Hex } from '../../src/core/bytes.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { NO_END } from '../../src/ledger/state.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { BOB, CAROL, DATA, HOST, HOST_ADDRESS, OWNER, VMM } from './events.ts'
import {
  address,
  approved,
  approversChanged,
  eventAt,
  granted,
  hash,
  hostRegistered,
  registrarChanged,
  vmmAuthorised,
  vmmProposed,
  vmmRevoked,
} from './events.ts'

const GRANT_ID = hash(0x10)

/** @returns what the last event contradicts */
function contradictionOf(...events: readonly LedgerEvent[]): string | undefined {
  const history = new LedgerHistory()
  return events.map((event) => history.apply(event)).at(-1)
}

const status = (block: number, value: number): LedgerEvent =>
  eventAt(block, 'HostStatusChanged', { hostId: HOST, status: value, by: OWNER })
const dataRegistered = eventAt(1, 'DataRegistered', { dataId: DATA, owner: OWNER })
const grantRevoked = eventAt(3, 'GrantRevoked', { grantId: GRANT_ID, by: OWNER })
const grantUsed = (block: number, uses: bigint): LedgerEvent => eventAt(block, 'GrantUsed', { grantId: GRANT_ID, uses })

const rotated = (block: number, from: Hex, to: Hex, overlapUntil = 0n): LedgerEvent => {
  const quote = { akPublic: '0x', attest: '0x', signature: '0x' } as const
  return eventAt(block, 'LedgerAddressRotated', { hostId: HOST, from, to, overlapUntil, anchorBlock: 0n, quote })
}
const replaced = (block: number, from: Hex, to: Hex): LedgerEvent => {
  const quote = { akPublic: '0x', attest: '0x', signature: '0x' } as const
  const args = { hostId: HOST, from, to, registrar: OWNER, anchorBlock: 0n, quote }
  return eventAt(block, 'LedgerAddressReplaced', args)
}
const proven = (block: number): LedgerEvent => eventAt(block, 'VmmProven', { vmmHash: VMM, hostId: HOST, epoch: 1 })
const offered = (block: number, owner: Hex, candidate: Hex): LedgerEvent =>
  eventAt(block, 'OwnershipOffered', { dataId: DATA, owner, candidate })
const accepted = (block: number, previousOwner: Hex, owner: Hex): LedgerEvent =>
  eventAt(block, 'OwnershipAccepted', { dataId: DATA, previousOwner, owner })
const cancelled = (block: number): LedgerEvent =>
  eventAt(block, 'GrantCancelled', { grantId: GRANT_ID, grantor: OWNER })
const fraud = (block: number): LedgerEvent =>
  eventAt(block, 'FraudProven', { hostId: HOST, fraud: 1, seq: 0n, proofHash: hash(5), by: BOB })

describe('LedgerHistory', () => {
  it('tells a host’s status at the end of each block', () => {
    const history = new LedgerHistory()
    for (const event of [hostRegistered(2), status(4, 2), status(6, 1)]) assert.equal(history.apply(event), undefined)
    const found = [1n, 2n, 3n, 4n, 5n, 6n, 99n].map((block) => history.hostStatus(HOST, block))
    assert.deepEqual(found, ['None', 'Active', 'Active', 'Suspended', 'Suspended', 'Active', 'Active'])
  })

  it('lets the new address alone speak for a host whose old one was replaced', () => {
    const history = new LedgerHistory()
    const events = [
      hostRegistered(1),
      rotated(2, HOST_ADDRESS, BOB, 100n),
      status(3, 2),
      replaced(4, BOB, CAROL),
      status(5, 1),
      rotated(6, CAROL, OWNER, 6n),
    ]
    const speakers = events.map((event) => {
      assert.equal(history.apply(event), undefined)
      const identity = history.hosts.get(HOST)?.identity
      assert.ok(identity !== undefined)
      return [HOST_ADDRESS, BOB, CAROL, OWNER].filter((one) => maySpeak(identity, one, event.blockNumber))
    })
    assert.deepEqual(speakers.slice(1, 5), [[HOST_ADDRESS, BOB], [HOST_ADDRESS, BOB], [CAROL], [CAROL]])
    assert.deepEqual(history.hosts.get(HOST)?.addresses, [HOST_ADDRESS, BOB, CAROL, OWNER])
  })

  it('tells whether a VMM was authorised, through all its epochs', () => {
    const history = new LedgerHistory()
    const events = [
      vmmProposed(1),
      vmmAuthorised(3, { validUntil: 1000n }),
      vmmRevoked(5),
      vmmProposed(6, 2),
      vmmAuthorised(7, { epoch: 2 }),
    ]
    for (const event of events) assert.equal(history.apply(event), undefined)
    const found = [1n, 2n, 3n, 4n, 5n, 6n, 7n].map((block) => history.vmmAuthorised(VMM, block, 1000n))
    assert.deepEqual(found, [false, false, true, true, false, false, true])
    assert.equal(history.vmmAuthorised(VMM, 3n, 1001n), false)
    assert.equal(history.vmmAuthorised(VMM, 7n, 1001n), true)
  })

  it('tells the owner of data at the end of each block', () => {
    const history = new LedgerHistory()
    const events = [dataRegistered, offered(2, OWNER, CAROL), offered(3, OWNER, BOB), accepted(4, OWNER, BOB)]
    for (const event of events) assert.equal(history.apply(event), undefined)
    const owners = [0n, 1n, 3n, 4n].map((block) => history.ownerAt(DATA, block))
    assert.deepEqual(owners, [undefined, OWNER, OWNER, BOB])
    assert.equal(history.data.get(DATA)?.candidate, address(0))
  })

  it('carries a decision by the approvals of the present term alone', () => {
    const { decisions } = new LedgerHistory()
    const content = { vmmHash: VMM, epoch: 1, manifestHash: ZERO_HASH, validUntil: NO_END, term: 1 }
    const history = new LedgerHistory()
    history.apply(approversChanged(1))
    const support = () => history.decisions.supportOf('vmmRegistry', { kind: 'VmmApproval', content })
    history.apply(approved(2, OWNER))
    assert.deepEqual(support(), { approvals: 1, threshold: 2 })
    history.apply(approved(3, CAROL, { approvals: 2 }))
    assert.deepEqual(support(), { approvals: 1, threshold: 2 })
    history.apply(approved(4, BOB, { approvals: 3 }))
    assert.deepEqual(support(), { approvals: 2, threshold: 2 })
    history.apply(approversChanged(5, { term: 2 }))
    assert.deepEqual(support(), { approvals: 0, threshold: 2 })
    assert.equal(decisions.isApprover(OWNER), false)
  })

  it('tells how often a grant was used at the end of each block', () => {
    const history = new LedgerHistory()
    for (const event of [dataRegistered, granted(2, GRANT_ID), grantUsed(3, 1n), grantUsed(5, 2n)]) history.apply(event)
    assert.deepEqual(
      [2n, 3n, 4n, 5n].map((block) => history.usesAt(GRANT_ID, block)),
      [0n, 1n, 1n, 2n],
    )
    assert.equal(history.usesOf(GRANT_ID), 2n)
  })

  it('ends a chain of delegation that leads back to itself, which only a lying node can show', () => {
    const history = new LedgerHistory()
    history.apply(granted(2, GRANT_ID, { parent: hash(0x11) }))
    history.apply(granted(3, hash(0x11), { parent: GRANT_ID }))
    assert.equal(history.chainOf(GRANT_ID).length, 2)
  })

  const contradictions: Readonly<Record<string, readonly LedgerEvent[]>> = {
    'a replaced address of a host that is active': [hostRegistered(1), replaced(2, HOST_ADDRESS, BOB)],
    'a replaced address of a host that is retired': [hostRegistered(1), status(2, 3), replaced(3, HOST_ADDRESS, BOB)],
    'a replaced address that is not the host’s': [hostRegistered(1), status(2, 2), replaced(3, BOB, CAROL)],
    'an address that replaces itself': [hostRegistered(1), status(2, 2), replaced(3, HOST_ADDRESS, HOST_ADDRESS)],
    'a host registered twice': [hostRegistered(1), hostRegistered(2)],
    'the status of a host that is not there': [status(1, 2)],
    'a suspension of a suspended host': [hostRegistered(1), status(2, 2), status(3, 2)],
    'a status that a host cannot get': [hostRegistered(1), status(2, 7)],
    'a proposal with a wrong epoch': [vmmProposed(1, 2)],
    'a proposal of what is proposed': [vmmProposed(1), vmmProposed(2, 2)],
    'a status of a host that is retired': [hostRegistered(1), status(2, 3), status(3, 1)],
    'a rotation of a host that is not there': [rotated(1, HOST_ADDRESS, address(0xe))],
    'a rotation from another address': [hostRegistered(1), rotated(2, address(0xf), address(0xe))],
    'a rotation while one runs': [
      hostRegistered(1),
      rotated(2, HOST_ADDRESS, address(0xe), 9n),
      rotated(3, address(0xe), address(0xf)),
    ],
    'a rotation to an address of another host': [
      hostRegistered(1),
      hostRegistered(2, { hostId: hash(0x77), ledgerAddress: address(0x77) }),
      rotated(3, HOST_ADDRESS, address(0x77)),
    ],
    'a rotation of a host that is retired': [hostRegistered(1), status(2, 3), rotated(3, HOST_ADDRESS, address(0xe))],
    'an authorisation of what was never proposed': [vmmAuthorised(1)],
    'an authorisation of what is authorised': [vmmProposed(1), vmmAuthorised(2), vmmAuthorised(3)],
    'an authorisation in another epoch': [vmmProposed(1), vmmAuthorised(2, { epoch: 2 })],
    'a proposal of what is authorised without an end': [vmmProposed(1), vmmAuthorised(2), vmmProposed(3, 2)],
    'a proof of what is proven': [vmmProposed(1), proven(2)],
    'a proof of what was never proposed': [proven(2)],
    'an approval in another term': [approversChanged(1), approved(2, OWNER, { term: 2 })],
    'two approvals by one approver': [approversChanged(1), approved(2, OWNER), approved(3, OWNER, { approvals: 2 })],
    'an approval that counts too many': [approversChanged(1), approved(2, OWNER, { approvals: 2 })],
    'a term that is left out': [approversChanged(1), approversChanged(2, { term: 3 })],
    'new approvers that nobody decided on': [approversChanged(1), approversChanged(2, { term: 2 })],
    'a registrar that nobody decided on': [
      approversChanged(1),
      registrarChanged(1),
      registrarChanged(2, { registrar: BOB }),
    ],
    'a change of a registrar that is left out': [registrarChanged(1), registrarChanged(1, { nonce: 3n })],
    'an offer of data that is not there': [offered(1, OWNER, BOB)],
    'an offer by somebody else': [dataRegistered, offered(2, BOB, BOB)],
    'an acceptance of what was not offered': [dataRegistered, accepted(2, OWNER, BOB)],
    'an acceptance by somebody else': [dataRegistered, offered(2, OWNER, BOB), accepted(3, OWNER, CAROL)],
    'an acceptance from somebody else': [dataRegistered, offered(2, OWNER, BOB), accepted(3, CAROL, BOB)],
    'a cancellation of what was granted': [granted(1, GRANT_ID), cancelled(2)],
    'a grant of what was cancelled': [cancelled(1), granted(2, GRANT_ID)],
    'fraud of a host that is not there': [fraud(1)],
    'a revocation of what was never proposed': [vmmRevoked(1)],
    'a revocation of what is revoked': [vmmProposed(1), vmmRevoked(2), vmmRevoked(3)],
    'a revocation in another epoch': [vmmProposed(1), vmmRevoked(2, 2)],
    'data registered twice': [dataRegistered, dataRegistered],
    'a grant made twice': [granted(1, GRANT_ID), granted(2, GRANT_ID)],
    'a grant for other data than its event': [
      eventAt(1, 'Granted', { ...argsOf(granted(1, GRANT_ID)), dataId: hash(9) }),
    ],
    'a revocation of a grant that is not there': [grantRevoked],
    'a grant revoked twice': [granted(1, GRANT_ID), grantRevoked, grantRevoked],
    'a use of a grant that is not there': [grantUsed(1, 1n)],
    'a use that is taken back': [granted(1, GRANT_ID), grantUsed(2, 2n), grantUsed(3, 1n)],
    'a use too many': [granted(1, GRANT_ID, { maxUses: 1n }), grantUsed(2, 2n)],
  }
  for (const [what, events] of Object.entries(contradictions)) {
    it(`says that there is ${what}`, () => {
      assert.notEqual(contradictionOf(...events), undefined)
    })
  }

  it('judges what follows a contradiction on its own', () => {
    const history = new LedgerHistory()
    history.apply(granted(1, GRANT_ID, { grantee: CAROL }))
    history.apply(granted(2, GRANT_ID, { grantee: BOB }))
    assert.equal(history.grants.get(GRANT_ID)?.grant.grantee, CAROL)
  })
})

function argsOf(event: LedgerEvent): Extract<LedgerEvent, { name: 'Granted' }>['args'] {
  if (event.name !== 'Granted') throw new RangeError(event.name)
  return event.args
}
