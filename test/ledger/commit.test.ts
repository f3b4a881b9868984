import assert from 'node:assert/strict'
import type { Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { decodeCommit, encodeAnchor, encodeCommit, type Commit } from '../../src/ledger/commit.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { hash } from './local-ledger.ts'

describe('decodeCommit', () => {
  const record = (seq: bigint): OperationRecord => ({
    hostId: hash(1),
    seq,
    vmmHash: hash(2),
    operationId: hash(3),
    requester: `0x${'ab'.repeat(20)}`,
    requestHash: hash(4),
    dataId: hash(5),
    grantId: hash(6),
    policyBlock: 2n ** 64n - 1n,
    dataHash: hash(7),
    resultHash: hash(8),
    status: 65_535,
    timestamp: 1_700_000_000n,
  })
  const records = [record(7n), { ...record(8n), grantId: hash(11) }, { ...record(9n), status: 0 }]
  const commit: Commit = {
    header: {
      hostId: hash(1),
      firstSeq: 7n,
      count: 3,
      root: hash(9),
      prevHead: hash(10),
      anchorBlock: 12n,
      nvCounter: 13n,
    },
    records,
    quote: {
      akPublic: new Uint8Array(88).fill(0x11),
      attest: Uint8Array.from({ length: 145 }, (_, i) => i),
      signature: new Uint8Array(64).fill(0x22),
    },
  }
  const calldata = encodeCommit(commit.header, records, commit.quote)
  const refused = { name: 'LedgerError', code: 'CALLDATA_INVALID' }

  it('gives back what was encoded', () => {
    assert.deepEqual(decodeCommit(calldata), { ...commit, contextOf: [0, 1, 0] })
    const empty: Commit = { ...commit, records: [], quote: { ...commit.quote, attest: new Uint8Array(0) } }
    assert.deepEqual(decodeCommit(encodeCommit(empty.header, [], empty.quote)), { ...empty, contextOf: [] })
  })

  it('tells an anchored batch by its missing records', () => {
    const anchored: Commit = { ...commit, records: undefined }
    assert.deepEqual(decodeCommit(encodeAnchor(commit.header, commit.quote)), { ...anchored, contextOf: [] })
  })

  it('writes what records have in common once', () => {
    const alike = encodeCommit(commit.header, [record(7n), record(8n), record(9n)], commit.quote)
    assert.equal(calldata.length - alike.length, 2 * 6 * 32)
  })

  it('refuses a record whose context is missing', () => {
    // The last body's first word: it is of context 0, of two.
    const own = `${'0'.repeat(64)}${'0'.repeat(64)}${1_700_000_000n.toString(16).padStart(64, '0')}`
    const bytes = calldata.replace(own, `${'2'.padStart(64, '0')}${own.slice(64)}`)
    assert.notEqual(bytes, calldata)
    assert.throws(() => decodeCommit(bytes as Hex), refused)
  })

  it('refuses the calldata of another function', () => {
    const other = ACCESS_POLICY.encodeFunctionData('revoke', [hash(1)]) as Hex
    for (const bytes of [other, '0x', '0x12'] as const) assert.throws(() => decodeCommit(bytes), refused)
  })

  it('refuses trailing, missing and odd bytes', () => {
    for (const bytes of [`${calldata}00`, calldata.slice(0, -2), `${calldata}0`, `${calldata}zz`]) {
      assert.throws(() => decodeCommit(bytes as Hex), refused)
    }
  })

  it('refuses a second encoding of the same values', () => {
    // The requester's word: an address whose upper 12 bytes are not zero. A contract would refuse it too.
    const dirty = calldata.replace(`${'00'.repeat(12)}${'ab'.repeat(20)}`, `01${'00'.repeat(11)}${'ab'.repeat(20)}`)
    // The padding behind the 145 bytes of the attest, in front of the signature's length and 64 bytes.
    const end = calldata.length - 2 * 96
    const padded = `${calldata.slice(0, end - 2)}01${calldata.slice(end)}`
    for (const bytes of [dirty, padded]) {
      assert.notEqual(bytes, calldata)
      assert.throws(() => decodeCommit(bytes as Hex), refused)
    }
  })

  it('refuses more records than there are bytes for', () => {
    const count = calldata.indexOf(`${'0'.repeat(63)}3`, 10 + 64 * 10)
    const huge = `${calldata.slice(0, count)}${'f'.repeat(64)}${calldata.slice(count + 64)}`
    assert.throws(() => decodeCommit(huge as Hex), refused)
  })
})
