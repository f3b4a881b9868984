import assert from 'node:assert/strict'
import { checkGranted, checkRevoked } from '../../src/auditor/check-grant.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import type { Grant } from '../../src/record/grant.ts'
import { BOB, CAROL, DATA, GRANT, OWNER, eventAt, granted, hash } from './events.ts'

const [PARENT, CHILD] = [hash(0x10), hash(0x11)]
const LIMITED: Partial<Grant> = {
  operationId: hash(4),
  notBefore: 10n,
  notAfter: 20n,
  maxUses: 3n,
  vmmHash: hash(2),
  hostId: hash(1),
  minAssurance: 1,
  delegationDepth: 1,
}
const revoked = eventAt(6, 'GrantRevoked', { grantId: PARENT, by: OWNER })

function historyOf(...events: readonly LedgerEvent[]): LedgerHistory {
  const history = new LedgerHistory()
  for (const event of [eventAt(1, 'DataRegistered', { dataId: DATA, owner: OWNER }), ...events]) history.apply(event)
  return history
}

function faultsOf(history: LedgerHistory, event: LedgerEvent): readonly string[] {
  if (event.name === 'GrantRevoked') return checkRevoked(history, event).map(({ code }) => code)
  if (event.name === 'Granted') return checkGranted(history, event).map(({ code }) => code)
  throw new RangeError(event.name)
}

describe('checkGranted', () => {
  const history = historyOf(granted(5, PARENT, LIMITED))
  const child = (parts: Partial<Grant> = {}, grantor = BOB): LedgerEvent => {
    const limits = { ...LIMITED, delegationDepth: 0, grantee: CAROL, parent: PARENT }
    return granted(7, CHILD, { ...limits, ...parts }, grantor)
  }

  it('takes a grant by the owner, and a delegation that is no wider than its parent', () => {
    assert.deepEqual(faultsOf(history, granted(7, CHILD)), [])
    assert.deepEqual(faultsOf(history, child()), [])
  })

  it('finds a grant by somebody else', () => {
    assert.deepEqual(faultsOf(history, granted(7, CHILD, {}, BOB)), ['GRANTOR_WRONG'])
    assert.deepEqual(faultsOf(history, child({}, OWNER)), ['GRANTOR_WRONG'])
  })

  it('finds a grant of what nobody registered, and a delegation from nothing', () => {
    assert.deepEqual(faultsOf(history, granted(7, CHILD, { dataId: hash(9) })), ['GRANTOR_WRONG'])
    assert.deepEqual(faultsOf(history, child({ parent: hash(9) })), ['GRANTOR_WRONG'])
  })

  it('finds a delegation from what was revoked', () => {
    assert.deepEqual(faultsOf(historyOf(granted(5, PARENT, LIMITED), revoked), child()), ['GRANTOR_WRONG'])
  })

  const wider: Partial<Grant> = {
    operationId: GRANT.operationId,
    notBefore: 9n,
    notAfter: 21n,
    maxUses: 4n,
    vmmHash: hash(9),
    hostId: GRANT.hostId,
    minAssurance: 0,
    delegationDepth: 1,
  }
  for (const [name, value] of Object.entries(wider)) {
    it(`finds a delegation that is wider in ${name}`, () => {
      assert.deepEqual(faultsOf(history, child({ [name]: value })), ['GRANT_WIDENED'])
    })
  }
})

describe('checkRevoked', () => {
  const child = granted(6, CHILD, { grantee: CAROL, parent: PARENT, delegationDepth: 0 }, BOB)
  const history = historyOf(granted(5, PARENT), child)

  it('takes a revocation by the grantor, and by the owner of the data', () => {
    for (const by of [BOB, OWNER]) {
      assert.deepEqual(faultsOf(history, eventAt(8, 'GrantRevoked', { grantId: CHILD, by })), [])
    }
  })

  it('finds a revocation by the grantee', () => {
    assert.deepEqual(faultsOf(history, eventAt(8, 'GrantRevoked', { grantId: CHILD, by: CAROL })), ['GRANTOR_WRONG'])
  })
})
