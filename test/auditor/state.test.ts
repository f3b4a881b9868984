import assert from 'node:assert/strict'
import { LedgerHistory } from '../../src/auditor/state.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { BOB, CAROL, DATA, HOST, OWNER, VMM } from './events.ts'
import { eventAt, granted, hash, hostRegistered, vmmApproved, vmmProposed, vmmRevoked } from './events.ts'

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

describe('LedgerHistory', () => {
  it('tells a host’s status at the end of each block', () => {
    const history = new LedgerHistory()
    for (const event of [hostRegistered(2), status(4, 2), status(6, 1)]) assert.equal(history.apply(event), undefined)
    const found = [1n, 2n, 3n, 4n, 5n, 6n, 99n].map((block) => history.hostStatus(HOST, block))
    assert.deepEqual(found, ['None', 'Active', 'Active', 'Suspended', 'Suspended', 'Active', 'Active'])
  })

  it('tells whether a VMM was authorised, through all its epochs', () => {
    const history = new LedgerHistory()
    const events = [
      vmmProposed(1),
      vmmApproved(2, { status: 1 }),
      vmmApproved(3, { approver: BOB, approvals: 2 }),
      vmmRevoked(5),
      vmmProposed(6, 2),
      vmmApproved(7, { epoch: 2 }),
    ]
    for (const event of events) assert.equal(history.apply(event), undefined)
    const found = [1n, 2n, 3n, 4n, 5n, 6n, 7n].map((block) => history.vmmAuthorised(VMM, block))
    assert.deepEqual(found, [false, false, true, true, false, false, true])
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
    'a host registered twice': [hostRegistered(1), hostRegistered(2)],
    'the status of a host that is not there': [status(1, 2)],
    'a suspension of a suspended host': [hostRegistered(1), status(2, 2), status(3, 2)],
    'a status that a host cannot get': [hostRegistered(1), status(2, 7)],
    'a proposal with a wrong epoch': [vmmProposed(1, 2)],
    'a proposal of what is proposed': [vmmProposed(1), vmmProposed(2, 2)],
    'an approval of what was never proposed': [vmmApproved(1)],
    'an approval of what is authorised': [
      vmmProposed(1),
      vmmApproved(2),
      vmmApproved(3, { approver: BOB, approvals: 2 }),
    ],
    'an approval in another epoch': [vmmProposed(1), vmmApproved(2, { epoch: 2 })],
    'two approvals by one approver': [vmmProposed(1), vmmApproved(2, { status: 1 }), vmmApproved(3, { approvals: 2 })],
    'an approval that counts too many': [vmmProposed(1), vmmApproved(2, { approvals: 2 })],
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
    'a use that is left out': [granted(1, GRANT_ID), grantUsed(2, 2n)],
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
