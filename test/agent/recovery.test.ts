import assert from 'node:assert/strict'
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Transaction } from 'ethers'
import { startProcess, stopProcess, untilReady, type StackProcess } from '../../hil/stack/process.ts'
import type { OperationRefused, SignedRequest } from '../../src/agent/client.ts'
import type { AgentConfig } from '../../src/agent/config.ts'
import { fromHex, type Hex } from '../../src/core/bytes.ts'
import { Hsm } from '../../src/hsm/hsm.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { keccak256 } from '../../src/record/hash.ts'
import { stringify } from '../../src/record/json.ts'
import { parseReceipt } from '../../src/record/parse.ts'
import { REASONS } from '../../src/record/reason.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { requestHash } from '../../src/record/request.ts'
import { TestHost, until } from './fixture.ts'
import { RpcProxy, calling, sending } from './rpc-proxy.ts'

const CHECK_ACCESS = calling((ACCESS_POLICY.getFunction('checkAccess')?.selector ?? '').slice(2))
const ATTESTRY = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))

describe('an agent', () => {
  const plaintext = Buffer.from('what nobody else may read')
  let host: TestHost
  let proxy: RpcProxy
  let data: Hex

  before(async () => {
    host = await TestHost.up()
    data = await host.data('alice')
    proxy = await RpcProxy.open(host.config.ledger.rpc)
  })
  afterEach(() => proxy.releaseAll())
  after(async () => {
    await proxy.close()
    await host.down()
  })

  const encrypt = () => host.sign('alice', { operation: 'encrypt', dataId: data, input: plaintext })

  /** The one record on the ledger that a request led to. */
  async function theRecord({ request }: SignedRequest): Promise<OperationRecord> {
    const found = await host.committedFor({ requestHash: requestHash(host.ledger.domain('auditLog'), request) })
    assert.equal(found.length, 1)
    const [record] = found
    assert.ok(record)
    return record
  }

  async function assertRefused(refused: Promise<OperationRefused>, code: string, status: number) {
    const refusal = await refused
    assert.deepEqual([refusal.code, refusal.status], [code, status])
    return refusal
  }

  async function kill(device: 'tpm' | 'hsm', signal: NodeJS.Signals): Promise<number> {
    const { pid } = (await host.status()).devices[device]
    assert.ok(pid !== null)
    process.kill(pid, signal)
    return pid
  }

  describe('whose parts fail', () => {
    // Behind the proxy, and giving up early.
    before(() =>
      host.start((config) => ({
        ...config,
        ledger: { ...config.ledger, rpc: proxy.url, timeoutMs: 1000 },
        tpm: { ...config.tpm, deadlineMs: 2000 },
        hsm: { ...config.hsm, deadlineMs: 2000 },
        api: { ...config.api, releaseTimeoutMs: 3000 },
      })),
    )
    after(() => host.stop())

    it('refuses while the ledger is away, without a record, and does the same request later', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(CHECK_ACCESS, 'request')
      await assertRefused(host.refusal(signed, plaintext), 'LEDGER_UNAVAILABLE', 503)
      hold.release()
      await host.send(signed, plaintext, 'journaled')
      assert.equal((await theRecord(signed)).status, REASONS.DONE)
    })

    it('says that the record stands where the ledger stops in the middle, and commits it once', async () => {
      const signed = await encrypt()
      const anvil = await host.anvil()
      const hold = proxy.hold(sending, 'answer')
      const refused = host.refusal(signed, plaintext)
      await hold.arrived
      process.kill(anvil.pid, 'SIGSTOP')
      hold.release()
      const { answer } = await assertRefused(refused, 'RELEASE_PENDING', 504)
      process.kill(anvil.pid, 'SIGCONT')
      assert.deepEqual(await theRecord(signed), parseReceipt(answer['receipt']).record)
      await assertRefused(host.refusal(signed, plaintext), 'REQUEST_REPLAYED', 409)
    })

    it('commits once where the ledger’s node is killed and started again', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'answer')
      await host.send(signed, plaintext, 'journaled')
      await hold.arrived
      await host.restartAnvil()
      hold.release()
      assert.equal((await theRecord(signed)).status, REASONS.DONE)
    })

    it('refuses while the TPM does not answer, without a record, and does the same request later', async () => {
      const signed = await encrypt()
      await kill('tpm', 'SIGSTOP')
      await assertRefused(host.refusal(signed, plaintext), 'DEVICE_UNAVAILABLE', 503)
      await host.send(signed, plaintext, 'journaled')
      assert.equal((await theRecord(signed)).status, REASONS.DONE)
    })

    it('withholds the result where the TPM fails in the middle, on record', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(CHECK_ACCESS, 'answer')
      const refused = host.refusal(signed, plaintext)
      await hold.arrived
      await kill('tpm', 'SIGSTOP')
      hold.release()
      await assertRefused(refused, 'DEVICE_FAILED', 503)
      assert.equal((await theRecord(signed)).status, REASONS.DEVICE_FAILED)
    })

    it('puts on record that the HSM failed in the middle, and goes on with a new process', async () => {
      const signed = await encrypt()
      await kill('hsm', 'SIGSTOP')
      await assertRefused(host.refusal(signed, plaintext), 'DEVICE_FAILED', 503)
      assert.equal((await theRecord(signed)).status, REASONS.DEVICE_FAILED)
      await host.send(await encrypt(), plaintext, 'journaled')
    })

    it('says that the result is lost where the HSM dies with it, and that the record stands', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'request')
      const refused = host.refusal(signed, plaintext)
      await hold.arrived
      await kill('hsm', 'SIGKILL')
      hold.release()
      const { answer } = await assertRefused(refused, 'RESULT_LOST', 503)
      const record = await theRecord(signed)
      assert.equal(record.status, REASONS.DONE)
      assert.deepEqual(parseReceipt(answer['receipt']).record, record)
    })
  })

  describe('that is killed', () => {
    let agent: StackProcess

    afterEach(() => host.stop())

    /** Starts an agent as a process of its own, behind the proxy. */
    async function startKillable(): Promise<void> {
      const path = join(host.layout.dir, 'killable.toml')
      const text = await readFile(host.layout.configuration, 'utf8')
      await writeFile(path, text.replace(host.config.ledger.rpc, proxy.url))
      agent = await startProcess('killable', host.layout.dir, process.execPath, [ATTESTRY, 'agent', '--config', path])
      await untilReady(agent, isServing)
    }

    async function isServing(): Promise<boolean> {
      try {
        return (await host.status()).pid === agent.pid
      } catch {
        return false
      }
    }

    async function kill9(): Promise<void> {
      process.kill(agent.pid, 'SIGKILL')
      await stopProcess(agent)
    }

    it('in an operation: notes it as interrupted, once', async () => {
      await startKillable()
      const hsm = await kill('hsm', 'SIGSTOP')
      const signed = await encrypt()
      const cut = assert.rejects(host.send(signed, plaintext))
      await until(async () => (await host.status()).underWay === 1)
      await kill9()
      await cut
      // It ends by itself as soon as it may go on.
      process.kill(hsm, 'SIGCONT')
      await host.start()
      const record = await theRecord(signed)
      assert.equal(record.status, REASONS.INTERRUPTED)
      await assertRefused(host.refusal(signed, plaintext), 'REQUEST_REPLAYED', 409)
    })

    it('between signing and sending: sends the very bytes that it had signed', async () => {
      await startKillable()
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'request')
      await host.send(signed, plaintext, 'journaled')
      const { params } = await hold.arrived
      await kill9()
      hold.drop()
      await host.start()
      const record = await theRecord(signed)
      assert.equal(record.status, REASONS.DONE)
      const resent = host.log.findLast(({ event }) => event === 'batch.sent')
      assert.equal(resent?.fields['hash'], keccak256(fromHex(params[0] as Hex)))
    })

    it('between sending and noting it: finds that its records are there', async () => {
      await startKillable()
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'answer')
      await host.send(signed, plaintext, 'journaled')
      await hold.arrived
      await kill9()
      await theRecord(signed)
      const sent = host.log.length
      await host.start()
      await until(async () => (await host.status()).pending === '0')
      assert.deepEqual(
        host.log.slice(sent).filter(({ event }) => event === 'batch.sent'),
        [],
      )
    })
  })

  describe('that starts', () => {
    afterEach(() => host.stop())

    it('refuses to start with an old copy of its journal, or with none', async () => {
      const [journal, copy, kept] = ['agent', 'copy', 'kept'].map((name) => join(host.layout.dir, name)) as [
        string,
        string,
        string,
      ]
      await cp(journal, copy, { recursive: true })
      await host.start()
      await host.send(await encrypt(), plaintext)
      await host.stop()
      await rename(journal, kept)
      await assert.rejects(host.start(), { code: 'JOURNAL_ROLLED_BACK' })
      await rm(journal, { recursive: true })
      await rename(copy, journal)
      await assert.rejects(host.start(), { code: 'JOURNAL_ROLLED_BACK' })
      await rm(journal, { recursive: true })
      await rename(kept, journal)
    })

    it('refuses to start beside another agent', async () => {
      await host.start()
      const elsewhere = (config: AgentConfig) => ({
        ...config,
        api: { ...config.api, socket: join(host.layout.dir, 'b') },
      })
      await assert.rejects(host.start(elsewhere), { code: 'JOURNAL_LOCKED' })
    })

    it('refuses to start with another ledger key than the host is enrolled with', async () => {
      const hsm = new Hsm(host.config.hsm)
      await hsm.generateKey('attestry/ledger/v2')
      await hsm.close()
      const other = (config: AgentConfig) => ({ ...config, hsm: { ...config.hsm, ledgerKey: 'attestry/ledger/v2' } })
      await assert.rejects(host.start(other), { code: 'HOST_ADDRESS_MISMATCH' })
    })

    it('refuses to start where the ledger does not know the host', async () => {
      const { deployer, registrar, approver1 } = host.signers
      const empty = await deployContracts(host.config.ledger.rpc, deployer, {
        registrars: [registrar.address],
        approvers: [approver1.address],
        threshold: 1,
        profile: host.ledger.deployment.profile,
      })
      const deployment = join(host.layout.dir, 'empty.json')
      await writeFile(deployment, stringify(empty))
      const other = (config: AgentConfig) => ({ ...config, ledger: { ...config.ledger, deployment } })
      await assert.rejects(host.start(other), { code: 'HOST_NOT_ENROLLED' })
    })
  })

  describe('whose transaction cannot be mined as it was signed', () => {
    // Each mined block takes the ledger's clock a second ahead.
    before(() =>
      host.start((config) => ({
        ...config,
        ledger: { ...config.ledger, rpc: proxy.url, timeoutMs: 3000, stalenessS: 86_400 },
      })),
    )
    after(() => host.stop())

    it('makes another one, with the next nonce, where it was mined and reverted', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'request')
      await host.send(signed, plaintext, 'journaled')
      await hold.arrived
      const sent = host.log.length
      await mine(host.config.ledger.rpc, 300)
      hold.release()
      assert.equal((await theRecord(signed)).status, REASONS.DONE)
      const [first, second] = noncesSince(sent)
      assert.equal(second, (first ?? 0n) + 1n)
    })

    it('makes another one, with the same nonce, where it is too old and nobody has it', async () => {
      const signed = await encrypt()
      const hold = proxy.hold(sending, 'request')
      await host.send(signed, plaintext, 'journaled')
      const { params } = await hold.arrived
      const sent = host.log.length
      await mine(host.config.ledger.rpc, 210)
      hold.drop()
      assert.equal((await theRecord(signed)).status, REASONS.DONE)
      assert.deepEqual(noncesSince(sent), [BigInt(Transaction.from(params[0] as string).nonce)])
    })

    function noncesSince(entry: number): readonly bigint[] {
      return host.log
        .slice(entry)
        .filter(({ event }) => event === 'batch.sent')
        .map(({ fields }) => fields['nonce'] as bigint)
    }
  })
})

async function mine(rpc: string, blocks: number): Promise<void> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: [`0x${blocks.toString(16)}`] })
  await fetch(rpc, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}
