import assert from 'node:assert/strict'
import { SigningKey, computeAddress } from 'ethers'
import { ReceiptSigner } from '../../src/agent/receipt-signer.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import type { SignedRequest } from '../../src/record/parse.ts'
import { receiptFaults, receiptGroupDigest } from '../../src/record/receipt.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { identity, intent } from './journal-sample.ts'

describe('ReceiptSigner', () => {
  const key = new SigningKey(`0x${'42'.repeat(32)}`)
  const domain = { chainId: 31337n, verifyingContract: identity.auditLog }
  const signed: SignedRequest = { request: intent(1).request, signature: intent(1).signature, salt: ZERO_HASH }
  /** Each signature waits for its turn: a slow HSM. */
  let turns: { sign: () => void; fail: () => void }[]
  let signer: ReceiptSigner

  beforeEach(() => {
    turns = []
    signer = new ReceiptSigner({
      includeWithinBlocks: 64,
      signGroup: (group) =>
        new Promise<Hex>((resolve, reject) => {
          turns.push({
            sign: () => resolve(key.sign(receiptGroupDigest(domain, group)).serialized as Hex),
            fail: () => reject(new Error('the HSM is gone')),
          })
        }),
    })
  })

  function receiptOf(seq: bigint) {
    const { request, requestHash, requester, vmmHash } = intent(1)
    const record: OperationRecord = {
      ...{ hostId: identity.hostId, seq, vmmHash, requester, requestHash },
      ...{ operationId: request.operationId, dataId: request.dataId, grantId: request.grantId },
      ...{ policyBlock: 10n + seq, dataHash: request.inputHash, resultHash: ZERO_HASH, status: 5, timestamp: 1n },
    }
    return signer.receipt(record, signed)
  }

  /** Lets one signature end, and waits for what follows from it. */
  async function turn(how: 'sign' | 'fail' = 'sign'): Promise<void> {
    while (turns.length === 0) await new Promise(setImmediate)
    turns.shift()?.[how]()
    await new Promise(setImmediate)
  }

  it('signs a lone record at once', async () => {
    const receipt = receiptOf(7n)
    await turn()
    const { group, path } = await receipt
    assert.deepEqual([group.firstSeq, group.count, path], [7n, 1, []])
  })

  it('gathers the next group while one is being signed, and each receipt holds', async () => {
    const receipts = [0n, 1n, 2n, 3n].map(receiptOf)
    await turn()
    await turn()
    const [first, ...rest] = await Promise.all(receipts)
    assert.equal(first?.group.count, 1)
    assert.deepEqual(
      rest.map(({ group }) => [group.firstSeq, group.count]),
      Array.from({ length: 3 }, () => [1n, 3]),
    )
    const address = computeAddress(key.publicKey).toLowerCase() as Hex
    for (const receipt of await Promise.all(receipts)) assert.deepEqual(receiptFaults(domain, receipt, address), [])
  })

  it('promises a block counted from the latest access check in the group', async () => {
    const receipts = [0n, 1n, 2n].map(receiptOf)
    await turn()
    await turn()
    assert.equal((await Promise.all(receipts)).at(-1)?.group.includeBy, 12n + 64n)
  })

  it('never makes a group over a gap', async () => {
    const receipts = [0n, 1n, 3n].map(receiptOf)
    for (let i = 0; i < 3; i++) await turn()
    assert.deepEqual(
      (await Promise.all(receipts)).map(({ group }) => group.count),
      [1, 1, 1],
    )
  })

  it('fails a group whose signature fails, and signs the next one', async () => {
    const [failed, next] = [receiptOf(0n), receiptOf(1n)]
    const refused = assert.rejects(failed, /the HSM is gone/)
    await turn('fail')
    await turn()
    await refused
    assert.equal((await next).group.firstSeq, 1n)
  })
})
