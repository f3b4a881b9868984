import assert from 'node:assert/strict'
import { checkAccess } from '../../src/auditor/check-access.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import type { Hex } from '../../src/core/bytes.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import type { AccessRequest } from '../../src/ledger/state.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { reasonOf, type Reason } from '../../src/record/reason.ts'
import { BOB, CAROL, DATA, HOST, OPERATION, OWNER, VMM } from './events.ts'
import { eventAt, granted, hash, hostRegistered, vmmAuthorised, vmmProposed, vmmRevoked } from './events.ts'

const [GRANT_ID, CHILD_ID] = [hash(0x10), hash(0x11)]

/** All is in place at block 10, and Bob asks under the owner's grant. */
const SCENE: readonly LedgerEvent[] = [
  hostRegistered(1),
  vmmProposed(2),
  vmmAuthorised(3),
  eventAt(4, 'DataRegistered', { dataId: DATA, owner: OWNER }),
]
const REQUEST: AccessRequest = {
  dataId: DATA,
  grantId: GRANT_ID,
  requester: BOB,
  operationId: OPERATION,
  hostId: HOST,
  vmmHash: VMM,
  timestamp: 1000n,
  asOf: 10n,
}
const status = (block: number, value: number): LedgerEvent =>
  eventAt(block, 'HostStatusChanged', { hostId: HOST, status: value, by: OWNER })
const revoked = (block: number, grantId: Hex): LedgerEvent => eventAt(block, 'GrantRevoked', { grantId, by: OWNER })
const used = (block: number, grantId: Hex, uses: bigint): LedgerEvent => eventAt(block, 'GrantUsed', { grantId, uses })
const child = granted(6, CHILD_ID, { parent: GRANT_ID, grantee: CAROL, delegationDepth: 0 }, BOB)
const carols = { grantId: CHILD_ID, requester: CAROL }

interface Case {
  readonly when: string
  readonly events?: readonly LedgerEvent[]
  readonly asks?: Partial<AccessRequest>
  readonly answer: Reason
}

const GRANTED = granted(5, GRANT_ID)

const CASES: readonly Case[] = [
  { when: 'the owner asks without a grant', asks: { grantId: ZERO_HASH, requester: OWNER }, answer: 'DONE' },
  { when: 'the grantee asks under the grant', events: [GRANTED], answer: 'DONE' },
  { when: 'a delegate asks under the delegation', events: [GRANTED, child], asks: carols, answer: 'DONE' },
  { when: 'the host is nobody', asks: { hostId: hash(9) }, answer: 'HOST_UNKNOWN' },
  { when: 'the host came later', events: [GRANTED], asks: { asOf: 0n }, answer: 'HOST_UNKNOWN' },
  { when: 'the host is suspended', events: [GRANTED, status(9, 2)], answer: 'HOST_NOT_ACTIVE' },
  { when: 'the host is suspended in that very block', events: [GRANTED, status(10, 2)], answer: 'HOST_NOT_ACTIVE' },
  { when: 'the host is suspended later', events: [GRANTED, status(11, 2)], answer: 'DONE' },
  { when: 'the host was suspended and is back', events: [GRANTED, status(8, 2), status(9, 1)], answer: 'DONE' },
  { when: 'the VMM is nobody’s', asks: { vmmHash: hash(9) }, answer: 'VMM_NOT_AUTHORISED' },
  { when: 'the VMM is only proposed', events: [GRANTED], asks: { asOf: 2n }, answer: 'VMM_NOT_AUTHORISED' },
  { when: 'the VMM is revoked', events: [GRANTED, vmmRevoked(10)], answer: 'VMM_NOT_AUTHORISED' },
  { when: 'the VMM is revoked later', events: [GRANTED, vmmRevoked(11)], answer: 'DONE' },
  {
    when: 'the VMM was authorised in an earlier epoch',
    events: [GRANTED, vmmRevoked(11), vmmProposed(12, 2)],
    answer: 'DONE',
  },
  { when: 'the data is nobody’s', asks: { dataId: hash(9) }, answer: 'DATA_UNKNOWN' },
  { when: 'the data came later', asks: { asOf: 3n, grantId: ZERO_HASH, requester: OWNER }, answer: 'DATA_UNKNOWN' },
  { when: 'somebody asks without a grant', asks: { grantId: ZERO_HASH }, answer: 'GRANT_MISSING' },
  { when: 'there is no such grant', answer: 'GRANT_UNKNOWN' },
  { when: 'the grant came later', events: [granted(11, GRANT_ID)], answer: 'GRANT_UNKNOWN' },
  {
    when: 'the grant is for other data',
    events: [granted(5, GRANT_ID, { dataId: hash(9) })],
    answer: 'GRANT_OTHER_DATA',
  },
  { when: 'the grant is for another', events: [GRANTED], asks: { requester: CAROL }, answer: 'GRANT_OTHER_GRANTEE' },
  {
    when: 'the owner asks under another’s grant',
    events: [GRANTED],
    asks: { requester: OWNER },
    answer: 'GRANT_OTHER_GRANTEE',
  },
  { when: 'the grant is revoked', events: [GRANTED, revoked(10, GRANT_ID)], answer: 'GRANT_REVOKED' },
  { when: 'the grant is revoked later', events: [GRANTED, revoked(11, GRANT_ID)], answer: 'DONE' },
  {
    when: 'the parent is revoked',
    events: [GRANTED, child, revoked(9, GRANT_ID)],
    asks: carols,
    answer: 'GRANT_REVOKED',
  },
  { when: 'only the child is revoked', events: [GRANTED, child, revoked(9, CHILD_ID)], answer: 'DONE' },
  { when: 'it is too early', events: [granted(5, GRANT_ID, { notBefore: 1001n })], answer: 'GRANT_NOT_YET_VALID' },
  { when: 'it is the first second', events: [granted(5, GRANT_ID, { notBefore: 1000n })], answer: 'DONE' },
  { when: 'it is too late', events: [granted(5, GRANT_ID, { notAfter: 999n })], answer: 'GRANT_EXPIRED' },
  { when: 'it is the last second', events: [granted(5, GRANT_ID, { notAfter: 1000n })], answer: 'DONE' },
  {
    when: 'all uses are used',
    events: [granted(5, GRANT_ID, { maxUses: 1n }), used(7, GRANT_ID, 1n)],
    answer: 'GRANT_EXHAUSTED',
  },
  {
    when: 'all uses of the parent are used',
    events: [granted(5, GRANT_ID, { maxUses: 1n }), child, used(7, GRANT_ID, 1n)],
    asks: carols,
    answer: 'GRANT_EXHAUSTED',
  },
  {
    when: 'the grant is for another operation',
    events: [granted(5, GRANT_ID, { operationId: hash(9) })],
    answer: 'GRANT_OTHER_OPERATION',
  },
  {
    when: 'the grant is for another host',
    events: [granted(5, GRANT_ID, { hostId: hash(9) })],
    answer: 'GRANT_OTHER_HOST',
  },
  {
    when: 'the grant is for another VMM',
    events: [granted(5, GRANT_ID, { vmmHash: hash(9) })],
    answer: 'GRANT_OTHER_VMM',
  },
  {
    when: 'the host is too little assured',
    events: [granted(5, GRANT_ID, { minAssurance: 2 })],
    answer: 'GRANT_ASSURANCE',
  },
  {
    when: 'several reasons hold along the chain, the lowest',
    events: [
      granted(5, GRANT_ID, { notAfter: 999n }),
      granted(6, CHILD_ID, { parent: GRANT_ID, grantee: CAROL, hostId: hash(9) }),
    ],
    asks: carols,
    answer: 'GRANT_EXPIRED',
  },
]

describe('checkAccess', () => {
  for (const { when, events = [], asks = {}, answer } of CASES) {
    it(`answers ${answer} where ${when}`, () => {
      const history = new LedgerHistory()
      for (const event of [...SCENE, ...events]) history.apply(event)
      const found = checkAccess(history, { ...REQUEST, ...asks }, (grantId) => history.usesOf(grantId))
      assert.equal(reasonOf(found), answer)
    })
  }
})
