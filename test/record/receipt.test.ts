import assert from 'node:assert/strict'
import { SigningKey, computeAddress } from 'ethers'
import type { Hex } from '../../src/core/bytes.ts'
import type { Domain } from '../../src/record/eip712.ts'
import { keccak256, ZERO_HASH } from '../../src/record/hash.ts'
import { receiptFaults, receiptGroupDigest, type Receipt, type ReceiptFault } from '../../src/record/receipt.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { inclusionPath, rootOf } from '../../src/record/tree.ts'

const domain: Domain = { chainId: 31337n, verifyingContract: `0x${'ab'.repeat(20)}` }
const key = new SigningKey(keccak256(Uint8Array.of(1)))
const ledgerAddress = computeAddress(key.publicKey).toLowerCase() as Hex
const hostId = named(7)

describe('receiptFaults', () => {
  it('finds nothing wrong with a promise that stands, at any place in its group', () => {
    for (const index of [0, 1, 2]) assert.deepEqual(receiptFaults(domain, receipt(index), ledgerAddress), [])
  })

  it('takes the ledger address in any case', () => {
    assert.deepEqual(receiptFaults(domain, receipt(0), computeAddress(key.publicKey) as Hex), [])
  })

  const good = receipt(1)
  const { record, group } = good
  const other = named(9)
  const cases: readonly (readonly [what: string, receipt: Receipt, faults: readonly ReceiptFault[]])[] = [
    ['an altered record', { ...good, record: { ...record, resultHash: other } }, ['RECORD_NOT_IN_GROUP']],
    ['an altered path', { ...good, path: [...good.path].reverse() }, ['RECORD_NOT_IN_GROUP']],
    ['a path too short', { ...good, path: good.path.slice(1) }, ['RECORD_NOT_IN_GROUP']],
    ['a record before the group', { ...good, record: { ...record, seq: 0n } }, ['RECORD_NOT_IN_GROUP']],
    ['a record far beyond the group', { ...good, record: { ...record, seq: 2n ** 60n } }, ['RECORD_NOT_IN_GROUP']],
    [
      "another host's group",
      { ...good, group: { ...group, hostId: other } },
      ['GROUP_OTHER_HOST', 'SIGNATURE_INVALID'],
    ],
    ['a later deadline', { ...good, group: { ...group, includeBy: 1000n } }, ['SIGNATURE_INVALID']],
    ['a signature cut short', { ...good, signature: good.signature.slice(0, -2) as Hex }, ['SIGNATURE_INVALID']],
  ]
  for (const [what, altered, faults] of cases) {
    it(`refuses ${what}`, () => assert.deepEqual(receiptFaults(domain, altered, ledgerAddress), faults))
  }

  it('refuses the signature of another key, and of this key for another contract or chain', () => {
    const domains: readonly Domain[] = [
      { ...domain, chainId: 1n },
      { ...domain, verifyingContract: `0x${'cd'.repeat(20)}` },
    ]
    for (const elsewhere of domains) {
      assert.deepEqual(receiptFaults(elsewhere, good, ledgerAddress), ['SIGNATURE_INVALID'])
    }
    assert.deepEqual(receiptFaults(domain, good, `0x${'11'.repeat(20)}`), ['SIGNATURE_INVALID'])
  })
})

/** The receipt of the record at `index` in a group of three that starts at 5. */
function receipt(index: number): Receipt {
  const records = [0, 1, 2].map(recordAt)
  const leaves = records.map(leafOf)
  const group = { hostId, groupRoot: rootOf(leaves), firstSeq: 5n, count: 3, includeBy: 90n }
  return {
    record: recordAt(index),
    group,
    path: inclusionPath(leaves, index),
    signature: key.sign(receiptGroupDigest(domain, group)).serialized as Hex,
    request: {
      operationId: named(2),
      dataId: named(3),
      grantId: ZERO_HASH,
      inputHash: named(4),
      hostId,
      nonce: named(5),
      expiry: 1n,
    },
    requestSignature: `0x${'00'.repeat(65)}`,
    salt: named(6),
  }
}

function recordAt(index: number): OperationRecord {
  return {
    hostId,
    seq: BigInt(5 + index),
    vmmHash: named(1),
    operationId: named(2),
    requester: `0x${'07'.repeat(20)}`,
    requestHash: named(8),
    dataId: named(3),
    grantId: ZERO_HASH,
    policyBlock: 40n,
    dataHash: named(4),
    resultHash: named(20 + index),
    status: 0,
    timestamp: 1_700_000_000n,
  }
}

function named(value: number): Hex {
  return keccak256(Uint8Array.of(value))
}
