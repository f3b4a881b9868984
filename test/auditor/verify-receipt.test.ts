import assert from 'node:assert/strict'
import { SigningKey, computeAddress } from 'ethers'
import { FindingLog } from '../../src/auditor/finding-log.ts'
import { HostLog } from '../../src/auditor/host-log.ts'
import type { Replayed } from '../../src/auditor/replay.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import { verifyReceipt } from '../../src/auditor/verify-receipt.ts'
import type { Hex } from '../../src/core/bytes.ts'
import type { Domain } from '../../src/record/eip712.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { receiptGroupDigest, type Receipt, type ReceiptGroup } from '../../src/record/receipt.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { requestHash, type OperationRequest } from '../../src/record/request.ts'
import { DATA, HOST, OPERATION, VMM, address, hash, hostRegistered } from './events.ts'

const DOMAIN: Domain = { chainId: 1n, verifyingContract: address(0x77) }
const [HOST_KEY, CUSTOMER_KEY] = [new SigningKey(hash(0x21)), new SigningKey(hash(0x22))]
const addressOf = (key: SigningKey): Hex => computeAddress(key.publicKey).toLowerCase() as Hex
const sign = (key: SigningKey, digest: Hex): Hex => key.sign(digest).serialized as Hex

const REQUEST: OperationRequest = {
  operationId: OPERATION,
  dataId: DATA,
  grantId: ZERO_HASH,
  inputHash: hash(0x31),
  hostId: HOST,
  nonce: hash(0x32),
  expiry: 2000n,
}
const RECORD: OperationRecord = {
  hostId: HOST,
  seq: 5n,
  vmmHash: VMM,
  operationId: OPERATION,
  requester: addressOf(CUSTOMER_KEY),
  requestHash: requestHash(DOMAIN, REQUEST),
  dataId: DATA,
  grantId: ZERO_HASH,
  policyBlock: 10n,
  dataHash: REQUEST.inputHash,
  resultHash: hash(0x33),
  status: 0,
  timestamp: 1000n,
}

function receiptFor(record: OperationRecord, key = HOST_KEY): Receipt {
  const group: ReceiptGroup = {
    hostId: HOST,
    groupRoot: leafOf(record),
    firstSeq: record.seq,
    count: 1,
    includeBy: 50n,
  }
  const requestSignature = sign(CUSTOMER_KEY, requestHash(DOMAIN, REQUEST))
  const signature = sign(key, receiptGroupDigest(DOMAIN, group))
  return { record, group, path: [], signature, request: REQUEST, requestSignature, salt: ZERO_HASH }
}

/** The ledger has these records, committed in one block. */
function ledgerWith(records: readonly OperationRecord[], blockNumber = 20n): Replayed {
  const history = new LedgerHistory()
  history.apply(hostRegistered(1, { ledgerAddress: addressOf(HOST_KEY) }))
  const log = new HostLog(HOST)
  for (const record of records) log.records.set(record.seq, { record, batch: 0n, blockNumber })
  return { history, logs: new Map([[HOST, log]]) }
}

function verify(receipt: Receipt, replayed = ledgerWith([RECORD]), latestBlock = 100n) {
  const findings = new FindingLog()
  const outcome = verifyReceipt(findings, replayed, receipt, DOMAIN, latestBlock)
  return { outcome, findings: findings.findings, codes: findings.findings.map(({ code }) => code) }
}

describe('verifyReceipt', () => {
  it('finds nothing where the promise is kept', () => {
    assert.deepEqual(verify(receiptFor(RECORD)), { outcome: 'kept', findings: [], codes: [] })
  })

  it('names what differs in a receipt whose record was tampered with, and blames the receipt', () => {
    const tampered = { ...receiptFor(RECORD), record: { ...RECORD, resultHash: hash(0x44) } }
    const { outcome, findings } = verify(tampered)
    assert.equal(outcome, 'broken')
    assert.deepEqual(
      findings.map(({ code, subject }) => `${code} ${subject}`),
      [`RECEIPT_INVALID receipt ${HOST}/5`, `RECORD_DIFFERS receipt ${HOST}/5`],
    )
    const [first, second] = findings
    assert.equal(first?.detail, 'RECORD_NOT_IN_GROUP')
    assert.equal(second?.detail, `resultHash: the receipt says ${hash(0x44)}, the ledger ${hash(0x33)}`)
  })

  it('blames the record on the ledger where the host signed another', () => {
    const { findings } = verify(receiptFor({ ...RECORD, resultHash: hash(0x44), timestamp: 1001n }))
    assert.deepEqual(
      findings.map(({ code, subject }) => `${code} ${subject}`),
      [`RECORD_DIFFERS record ${HOST}/5`],
    )
    assert.match(findings[0]?.detail ?? '', /resultHash: .*; timestamp: /)
  })

  it('finds a record that was left out', () => {
    const { outcome, codes } = verify(receiptFor(RECORD), ledgerWith([]), 51n)
    assert.deepEqual([outcome, codes], ['broken', ['RECORD_OMITTED']])
  })

  it('waits for a record that is not due', () => {
    const { outcome, codes } = verify(receiptFor(RECORD), ledgerWith([]), 50n)
    assert.deepEqual([outcome, codes], ['pending', []])
  })

  it('finds a record that came too late', () => {
    const { outcome, codes } = verify(receiptFor(RECORD), ledgerWith([RECORD], 51n))
    assert.deepEqual([outcome, codes], ['broken', ['RECORD_LATE']])
  })

  it('finds a receipt that the host did not sign', () => {
    const { outcome, findings } = verify(receiptFor(RECORD, CUSTOMER_KEY))
    assert.equal(outcome, 'broken')
    assert.deepEqual(
      findings.map(({ code, detail }) => [code, detail]),
      [['RECEIPT_INVALID', 'SIGNATURE_INVALID']],
    )
  })

  it('finds a receipt of a host that is not there', () => {
    const { outcome, codes } = verify(receiptFor(RECORD), { history: new LedgerHistory(), logs: new Map() })
    assert.deepEqual([outcome, codes], ['broken', ['RECEIPT_INVALID']])
  })

  it('finds a request that the requester did not sign', () => {
    const requestSignature = sign(HOST_KEY, RECORD.requestHash)
    assert.deepEqual(verify({ ...receiptFor(RECORD), requestSignature }).codes, ['REQUEST_SIGNATURE_INVALID'])
  })

  it('finds what the record says otherwise than the request', () => {
    const other: OperationRecord = { ...RECORD, dataHash: hash(0x55), grantId: hash(0x56) }
    const { codes, findings } = verify(receiptFor(other), ledgerWith([other]))
    assert.deepEqual(codes, ['REQUEST_DIFFERS', 'REQUEST_DIFFERS'])
    assert.deepEqual(
      findings.map(({ detail }) => detail.split(':')[0]),
      ['grantId', 'dataHash'],
    )
  })
})
