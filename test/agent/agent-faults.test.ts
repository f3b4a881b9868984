import assert from 'node:assert/strict'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Transaction } from 'ethers'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { parseReceipt } from '../../src/record/parse.ts'
import { REASONS } from '../../src/record/reason.ts'
import { FaultRig } from './fault-rig.ts'
import { until } from './fixture.ts'
import { calling, sending } from './rpc-proxy.ts'

const CHECK_ACCESS = calling((ACCESS_POLICY.getFunction('checkAccess')?.selector ?? '').slice(2))

describe('an agent', () => {
  let rig: FaultRig

  before(async () => {
    rig = await FaultRig.up()
  })
  afterEach(() => rig.proxy.releaseAll())
  after(() => rig.down())

  describe('whose parts fail', () => {
    const start = () =>
      rig.host.start((config) => ({
        ...config,
        ledger: { ...config.ledger, rpc: rig.proxy.url, timeoutMs: 3000 },
        hsm: { ...config.hsm, deadlineMs: 6000 },
        api: { ...config.api, releaseTimeoutMs: 6000 },
      }))

    before(start)
    beforeEach(() => rig.quiet())
    after(() => rig.host.stop())

    it('refuses while the ledger is away, without a record, and does the same request later', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(CHECK_ACCESS, 'request')
      await rig.refused(signed, 'LEDGER_UNAVAILABLE', 503)
      hold.release()
      await rig.host.send(signed, rig.plaintext, 'journaled')
      assert.equal((await rig.theRecord(signed)).status, REASONS.DONE)
    })

    it('says that the record stands where the ledger stops in the middle, and commits it once', async () => {
      const signed = await rig.request()
      const anvil = await rig.host.anvil()
      const hold = rig.proxy.hold(sending, 'answer')
      const refused = rig.refused(signed, 'RELEASE_PENDING', 504)
      await hold.arrived
      process.kill(anvil.pid, 'SIGSTOP')
      hold.release()
      const { answer } = await refused
      process.kill(anvil.pid, 'SIGCONT')
      assert.deepEqual(await rig.theRecord(signed), parseReceipt(answer['receipt']).record)
      await rig.refused(signed, 'REQUEST_REPLAYED', 409)
    })

    it('commits once where the ledger’s node is killed and started again', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'answer')
      await rig.host.send(signed, rig.plaintext, 'journaled')
      await hold.arrived
      await rig.host.restartAnvil()
      rig.proxy.target = rig.host.rpc
      hold.release()
      assert.equal((await rig.theRecord(signed)).status, REASONS.DONE)
    })

    it('refuses where the TPM does not answer, without a record, and does the same request later', async () => {
      const signed = await rig.request()
      const tpm = await rig.signal('tpm', 'SIGSTOP')
      const refused = rig.refused(signed, 'DEVICE_UNAVAILABLE', 503)
      // The status asks the TPM after the operation did.
      assert.equal((await rig.host.status()).vmmHash, null)
      process.kill(tpm, 'SIGKILL')
      await refused
      await rig.host.send(signed, rig.plaintext, 'journaled')
      assert.equal((await rig.theRecord(signed)).status, REASONS.DONE)
    })

    it('puts on record that the HSM failed in the middle, and goes on with a new process', async () => {
      const signed = await rig.request()
      await rig.signal('hsm', 'SIGSTOP')
      await rig.refused(signed, 'DEVICE_FAILED', 503)
      assert.equal((await rig.theRecord(signed)).status, REASONS.DEVICE_FAILED)
      await rig.host.send(await rig.request(), rig.plaintext, 'journaled')
    })

    it('says that the result is lost where the HSM dies with it, and that the record stands', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'request')
      const refused = rig.refused(signed, 'RESULT_LOST', 503)
      await hold.arrived
      await rig.signal('hsm', 'SIGKILL')
      hold.release()
      const { answer } = await refused
      const record = await rig.theRecord(signed)
      assert.equal(record.status, REASONS.DONE)
      assert.deepEqual(parseReceipt(answer['receipt']).record, record)
    })

    it('withholds the result where the TPM loses power in the middle, until it is measured again', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(CHECK_ACCESS, 'answer')
      const refused = rig.refused(signed, 'DEVICE_FAILED', 503)
      await hold.arrived
      const power = await rig.host.killTpm()
      hold.release()
      await refused
      await power()
      assert.equal((await rig.theRecord(signed)).status, REASONS.DEVICE_FAILED)
      await rig.refused(await rig.request(), 'VMM_NOT_AUTHORISED', 403)
      await rig.host.stop()
      await start()
      await rig.host.send(await rig.request(), rig.plaintext)
    })
  })

  describe('whose transaction cannot be mined as it was signed', () => {
    // Each mined block takes the ledger's clock a second ahead.
    before(() =>
      rig.host.start((config) => ({
        ...config,
        ledger: { ...config.ledger, rpc: rig.proxy.url, timeoutMs: 3000, stalenessS: 86_400 },
      })),
    )
    beforeEach(() => rig.quiet())
    after(() => rig.host.stop())

    it('makes another one, with the next nonce, where it was mined and reverted', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'request')
      await rig.host.send(signed, rig.plaintext, 'journaled')
      await hold.arrived
      const sent = rig.host.log.length
      await mine(rig.host.rpc, 300)
      hold.release()
      assert.equal((await rig.theRecord(signed)).status, REASONS.DONE)
      const [first, second] = noncesSince(sent)
      assert.equal(second, (first ?? 0n) + 1n)
    })

    it('makes another one, with the same nonce, where it is too old and nobody has it', async () => {
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'request')
      await rig.host.send(signed, rig.plaintext, 'journaled')
      const { params } = await hold.arrived
      const sent = rig.host.log.length
      await mine(rig.host.rpc, 210)
      hold.drop()
      assert.equal((await rig.theRecord(signed)).status, REASONS.DONE)
      assert.deepEqual(noncesSince(sent), [BigInt(Transaction.from(params[0] as string).nonce)])
    })

    function noncesSince(entry: number): readonly bigint[] {
      return rig.host.log
        .slice(entry)
        .filter(({ event }) => event === 'batch.sent')
        .map(({ fields }) => fields['nonce'] as bigint)
    }

    // The last one: afterwards the VMM is another.
    it('withholds the result where the VMM changes during the operation, and says so on record', async () => {
      const signed = await rig.request()
      const { vmmHash } = await rig.host.status()
      const hold = rig.proxy.hold(CHECK_ACCESS, 'answer')
      const refused = rig.refused(signed, 'VMM_CHANGED', 422)
      await hold.arrived
      await appendFile(join(rig.host.layout.vmm, 'kvm.ko'), 'patched in the middle')
      await until(async () => (await rig.host.status()).vmmHash !== vmmHash)
      hold.release()
      const { answer } = await refused
      const record = await rig.theRecord(signed)
      assert.deepEqual(record, parseReceipt(answer['receipt']).record)
      assert.deepEqual([record.status, record.resultHash], [REASONS.VMM_CHANGED, ZERO_HASH])
      assert.equal(record.vmmHash, vmmHash)
    })
  })
})

async function mine(rpc: string, blocks: number): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: [`0x${blocks.toString(16)}`] })
  await fetch(rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}
