import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { checkAccess } from '../../src/agent/access.ts'
import { admit } from '../../src/agent/admission.ts'
import { proposeVmm } from '../../src/agent/propose.ts'
import { STEPS } from '../../src/agent/trace.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { approveVmm } from '../../src/ledger/approve.ts'
import { operationId } from '../../src/record/hash.ts'
import { parseReceipt } from '../../src/record/parse.ts'
import { REASONS } from '../../src/record/reason.ts'
import { receiptFaults, type Receipt } from '../../src/record/receipt.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { TestHost } from './fixture.ts'

describe('runAgent', () => {
  const plaintext = Buffer.from('what nobody else may read')
  let host: TestHost
  let data: Hex
  let ciphertext: Uint8Array

  before(async () => {
    host = await TestHost.up()
    data = await host.data('alice')
    await host.start()
  })
  after(() => host.down())

  const encrypt = () => host.sign('alice', { operation: 'encrypt', dataId: data, input: plaintext })

  /** Checks that a receipt holds and that its record is on the ledger. */
  async function onLedger(receipt: Receipt): Promise<void> {
    const { ledgerAddress } = await host.ledger.host(host.hostId)
    assert.deepEqual(receiptFaults(host.ledger.domain('auditLog'), receipt, ledgerAddress), [])
    assert.deepEqual(await host.committedFor(receipt.record), [receipt.record])
    const { number } = await host.ledger.latestBlock()
    assert.ok(number <= receipt.group.includeBy)
  }

  async function refused(signed: Awaited<ReturnType<typeof encrypt>>, status: number, code: string, input = plaintext) {
    const refusal = await host.refusal(signed, input, 'journaled')
    assert.deepEqual([refusal.code, refusal.status], [code, status])
    return refusal
  }

  /** Checks that something leaves no record. */
  async function unrecorded(action: () => Promise<unknown>): Promise<void> {
    const before = await host.status()
    await action()
    assert.equal((await host.status()).nextSeq, before.nextSeq)
  }

  it('encrypts in ten steps, and answers when the record is on the ledger', async () => {
    const answer = await host.send(await encrypt(), plaintext)
    ciphertext = answer.result
    assert.equal(Buffer.from(ciphertext.subarray(0, 4)).toString(), 'ATG1')
    assert.deepEqual(
      answer.steps.map(({ step, name, ok }) => [step, name, ok]),
      STEPS.map((name, i) => [i + 1, name, true]),
    )
    assert.ok(answer.transaction)
    const receipt = await host.ledger.receipt(answer.transaction.hash)
    assert.equal(String(receipt?.blockNumber), answer.transaction.blockNumber)
    await onLedger(answer.receipt)
  })

  it('decrypts to the same bytes', async () => {
    const signed = await host.sign('alice', { operation: 'decrypt', dataId: data, input: ciphertext })
    const { result, receipt } = await host.send(signed, ciphertext, 'journaled')
    assert.deepEqual(Buffer.from(result), plaintext)
    await onLedger(receipt)
  })

  it('answers as soon as the transaction is sent, where that is asked for', async () => {
    const { transaction, receipt } = await host.send(await encrypt(), plaintext, 'submitted')
    assert.match(transaction?.hash ?? '', /^0x[0-9a-f]{64}$/)
    await onLedger(receipt)
  })

  it('carries out many operations at once, in groups', async () => {
    const signed = await Promise.all(Array.from({ length: 8 }, encrypt))
    const answers = await Promise.all(signed.map((request) => host.send(request, plaintext, 'journaled')))
    assert.equal(new Set(answers.map(({ receipt }) => receipt.record.seq)).size, 8)
    for (const { receipt } of answers) await onLedger(receipt)
  })

  it('denies who has no grant, on record', async () => {
    const signed = await host.sign('bob', { operation: 'decrypt', dataId: data, input: ciphertext })
    const { answer } = await refused(signed, 403, 'GRANT_MISSING', Buffer.from(ciphertext))
    const receipt = parseReceipt(answer['receipt'])
    assert.equal(receipt.record.status, 5)
    assert.equal(receipt.record.requester, host.signers.bob.address)
    await onLedger(receipt)
    await refused(signed, 409, 'REQUEST_REPLAYED', Buffer.from(ciphertext))
  })

  it('puts on record what the operation refuses', async () => {
    const forged = Buffer.from(ciphertext)
    forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
    const signed = await host.sign('alice', { operation: 'decrypt', dataId: data, input: forged })
    const { answer } = await refused(signed, 422, 'OPERATION_FAILED', forged)
    await onLedger(parseReceipt(answer['receipt']))
  })

  it('refuses a request that was done before', async () => {
    const signed = await encrypt()
    await host.send(signed, plaintext, 'journaled')
    await unrecorded(() => refused(signed, 409, 'REQUEST_REPLAYED'))
  })

  it('gives who asks twice at once the same answer, and does it once', async () => {
    const signed = await encrypt()
    const [one, two] = await Promise.all([host.send(signed, plaintext), host.send(signed, plaintext)])
    assert.deepEqual(one.receipt, two.receipt)
    assert.deepEqual(one.result, two.result)
  })

  for (const [what, code, status, make] of [
    ['for another host', 'REQUEST_OTHER_HOST', 421, { hostId: `0x${'12'.repeat(32)}` }],
    ['that has expired', 'REQUEST_EXPIRED', 410, { expiry: 1_700_000_000n }],
    ['for an operation that it does not know', 'REQUEST_OPERATION_UNKNOWN', 400, { operation: 'launder' }],
    ['with another input', 'REQUEST_INPUT_MISMATCH', 400, { input: Buffer.from('something else') }],
  ] as const) {
    it(`refuses a request ${what}, without a record`, async () => {
      const signed = await host.sign('alice', { operation: 'encrypt', dataId: data, input: plaintext, ...make })
      await unrecorded(() => refused(signed, status, code))
    })
  }

  it('refuses a signature that is none, without a record', async () => {
    const signed = await encrypt()
    await unrecorded(() => refused({ ...signed, signature: `0x${'00'.repeat(65)}` }, 401, 'REQUEST_SIGNATURE_INVALID'))
  })

  it('takes a request that was changed after it was signed for a stranger’s', async () => {
    const signed = await encrypt()
    const changed = { ...signed, request: { ...signed.request, operationId: operationId('decrypt') } }
    const { answer } = await refused(changed, 403, 'GRANT_MISSING')
    assert.notEqual(parseReceipt(answer['receipt']).record.requester, host.signers.alice.address)
  })

  it('refuses an input over the limit, after reading it', async () => {
    const input = Buffer.alloc(host.config.api.maxInputBytes + 1)
    const signed = await host.sign('alice', { operation: 'encrypt', dataId: data, input })
    await unrecorded(() => refused(signed, 413, 'INPUT_TOO_LARGE', input))
  })

  it('says what it is', async () => {
    const { hostId, vmmHash, vmmAuthorised, profile, pending, devices, ledger, release, pid } = await host.status()
    assert.equal(hostId, host.hostId)
    assert.equal(vmmHash, (await host.send(await encrypt(), plaintext)).receipt.record.vmmHash)
    assert.deepEqual([vmmAuthorised, profile.name, release, pid], [true, 'ci', 'confirmed', process.pid])
    assert.ok(BigInt(pending) >= 0n)
    assert.equal(ledger.chainId, String(host.ledger.deployment.chainId))
    assert.deepEqual([devices.tpm.state, devices.hsm.state, devices.gate.state], ['ready', 'ready', 'ready'])
    assert.equal((await host.status()).pending, '0')
  })

  describe('deciding access', () => {
    const now = () => BigInt(Math.floor(Date.now() / 1000))

    /** Asks for data that nobody registered, by a clock that is wrong by so much. */
    async function ask(clockErrorS: bigint) {
      const { ledger, hostId, vmmHash } = host
      const signed = await host.sign('alice', { operation: 'encrypt', dataId: operationId('none'), input: plaintext })
      const policy = { hostId, domain: ledger.domain('auditLog'), maxInputBytes: 100 }
      const parts = { ledger, stalenessS: 60, now: () => now() + clockErrorS }
      return checkAccess(parts, admit(policy, signed, plaintext, now()), vmmHash)
    }

    it('says what the ledger says, and as of which block', async () => {
      const { status, block, timestamp } = await ask(0n)
      assert.equal(status, REASONS.DATA_UNKNOWN)
      assert.ok(block <= (await host.ledger.latestBlock()).number)
      assert.ok(timestamp <= now())
    })

    it('refuses to decide by a block that is too old, or ahead of its clock', async () => {
      await assert.rejects(ask(1000n), { code: 'LEDGER_STALE' })
      await assert.rejects(ask(-1000n), { code: 'LEDGER_STALE' })
    })
  })

  it('denies everything once a VMM file has changed, until the new VMM is approved', async () => {
    const before = await host.status()
    await appendFile(join(host.layout.vmm, 'kvm.ko'), 'patched')
    const { answer } = await refused(await encrypt(), 403, 'VMM_NOT_AUTHORISED')
    const receipt = parseReceipt(answer['receipt'])
    assert.notEqual(receipt.record.vmmHash, before.vmmHash)
    await onLedger(receipt)
    assert.equal((await host.status()).vmmAuthorised, false)

    await approvePresentVmm()
    const done = await host.send(await encrypt(), plaintext, 'journaled')
    assert.equal(done.receipt.record.vmmHash, receipt.record.vmmHash)
  })

  async function approvePresentVmm(): Promise<void> {
    const tpm = new Tpm(host.config.tpm)
    const { ledger, config, signers } = host
    const { vmmHash } = await proposeVmm({ tpm, ledger, config: config.vmm, signer: signers.deployer })
    await tpm.close()
    // One after the other: the approval that completes the threshold needs more gas than the one before it.
    for (const signer of [signers.approver1, signers.approver2]) await approveVmm(ledger, signer, vmmHash)
  }
})
