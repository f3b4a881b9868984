import assert from 'node:assert/strict'
import { cp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startProcess, stopProcess, untilReady, type StackProcess } from '../../hil/stack/process.ts'
import type { AgentConfig } from '../../src/agent/config.ts'
import { fromHex, type Hex } from '../../src/core/bytes.ts'
import { openHsm } from '../../src/agent/open-hsm.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { keccak256 } from '../../src/record/hash.ts'
import { stringify } from '../../src/record/json.ts'
import { REASONS } from '../../src/record/reason.ts'
import { FaultRig } from './fault-rig.ts'
import { until } from './fixture.ts'
import { sending } from './rpc-proxy.ts'

const ATTESTRY = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))

describe('an agent', () => {
  let rig: FaultRig

  before(async () => {
    rig = await FaultRig.up()
  })
  afterEach(() => rig.proxy.releaseAll())
  after(() => rig.down())

  describe('that is killed', () => {
    let agent: StackProcess

    afterEach(() => rig.host.stop())

    /** Starts an agent as a process of its own, behind the rig.proxy. */
    async function startKillable(): Promise<void> {
      const path = join(rig.host.layout.dir, 'killable.toml')
      const text = await readFile(rig.host.layout.configuration, 'utf8')
      await writeFile(path, text.replace(rig.host.config.ledger.rpc, rig.proxy.url))
      agent = await startProcess('killable', rig.host.layout.dir, process.execPath, [
        ATTESTRY,
        'agent',
        '--config',
        path,
      ])
      await untilReady(agent, isServing)
      await rig.quiet()
    }

    async function isServing(): Promise<boolean> {
      try {
        return (await rig.host.status()).pid === agent.pid
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
      const hsm = await rig.signal('hsm', 'SIGSTOP')
      const signed = await rig.request()
      const cut = assert.rejects(rig.host.send(signed, rig.plaintext))
      await until(async () => (await rig.host.status()).underWay === 1)
      await kill9()
      await cut
      // It ends by itself as soon as it may go on.
      process.kill(hsm, 'SIGCONT')
      await rig.host.start()
      const record = await rig.theRecord(signed)
      assert.equal(record.status, REASONS.INTERRUPTED)
      await rig.refused(signed, 'REQUEST_REPLAYED', 409)
    })

    it('between signing and sending: sends the very bytes that it had signed', async () => {
      await startKillable()
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'request')
      await rig.host.send(signed, rig.plaintext, 'journaled')
      const { params } = await hold.arrived
      await kill9()
      hold.drop()
      await rig.host.start()
      const record = await rig.theRecord(signed)
      assert.equal(record.status, REASONS.DONE)
      const resent = rig.host.log.findLast(({ event }) => event === 'batch.sent')
      assert.equal(resent?.fields['hash'], keccak256(fromHex(params[0] as Hex)))
    })

    it('between sending and noting it: finds that its records are there', async () => {
      await startKillable()
      const signed = await rig.request()
      const hold = rig.proxy.hold(sending, 'answer')
      await rig.host.send(signed, rig.plaintext, 'journaled')
      await hold.arrived
      await kill9()
      await rig.theRecord(signed)
      const sent = rig.host.log.length
      await rig.host.start()
      await until(async () => (await rig.host.status()).pending === '0')
      assert.deepEqual(
        rig.host.log.slice(sent).filter(({ event }) => event === 'batch.sent'),
        [],
      )
    })
  })

  describe('that starts', () => {
    afterEach(() => rig.host.stop())

    it('refuses to start with an old copy of its journal, or with none', async () => {
      const [journal, copy, kept] = ['agent', 'copy', 'kept'].map((name) => join(rig.host.layout.dir, name)) as [
        string,
        string,
        string,
      ]
      await cp(journal, copy, { recursive: true })
      await rig.host.start()
      await rig.host.send(await rig.request(), rig.plaintext)
      await rig.host.stop()
      await rename(journal, kept)
      await assert.rejects(rig.host.start(), { code: 'JOURNAL_ROLLED_BACK' })
      await rm(journal, { recursive: true })
      await rename(copy, journal)
      await assert.rejects(rig.host.start(), { code: 'JOURNAL_ROLLED_BACK' })
      await rm(journal, { recursive: true })
      await rename(kept, journal)
    })

    it('refuses to start beside another agent', async () => {
      await rig.host.start()
      const elsewhere = (config: AgentConfig) => ({
        ...config,
        api: { ...config.api, socket: join(rig.host.layout.dir, 'b') },
      })
      await assert.rejects(rig.host.start(elsewhere), { code: 'JOURNAL_LOCKED' })
    })

    it('refuses to start with another ledger key than the host is enrolled with', async () => {
      const hsm = openHsm(rig.host.config)
      await hsm.generateKey('attestry/ledger/v2')
      await hsm.close()
      const other = (config: AgentConfig) => ({ ...config, hsm: { ...config.hsm, ledgerKey: 'attestry/ledger/v2' } })
      await assert.rejects(rig.host.start(other), { code: 'HOST_ADDRESS_MISMATCH' })
    })

    it('refuses to start where the ledger does not know the host', async () => {
      const { deployer, registrar, approver1 } = rig.host.signers
      const empty = await deployContracts(rig.host.config.ledger.rpc, deployer, {
        registrars: [registrar.address],
        approvers: [approver1.address],
        threshold: 1,
        profile: rig.host.ledger.deployment.profile,
      })
      const deployment = join(rig.host.layout.dir, 'empty.json')
      await writeFile(deployment, stringify(empty))
      const other = (config: AgentConfig) => ({ ...config, ledger: { ...config.ledger, deployment } })
      await assert.rejects(rig.host.start(other), { code: 'HOST_NOT_ENROLLED' })
    })
  })
})
