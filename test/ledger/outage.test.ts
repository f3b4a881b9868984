import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAnvil } from '../../hil/stack/anvil.ts'
import { isRunning, stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { dataId } from '../../src/record/hash.ts'
import { hash, startLocalLedger, type LocalLedger } from './local-ledger.ts'

describe('Ledger over outages', () => {
  let local: LocalLedger
  let ledger: Ledger
  let node: StackProcess

  const registerData = (salt: Hex): Hex => ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex
  const unavailable = { name: 'LedgerError', code: 'UNAVAILABLE' }

  before(async () => {
    local = await startLocalLedger()
    node = local.process
    ledger = await Ledger.connect(local.rpc, local.deployment, 2000)
  })

  after(async () => {
    ledger.close()
    await stopProcess(node)
    await local.stop()
  })

  const isListening = async (): Promise<boolean> => {
    try {
      await fetch(local.rpc)
      return true
    } catch (error) {
      const cause: unknown = error instanceof Error ? error.cause : undefined
      return !(cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED')
    }
  }

  const restart = async (dir: string): Promise<void> => {
    // The sockets of a process that was killed may outlive it for a moment.
    while (await isListening());
    const { process } = await startAnvil(dir, { port: Number(new URL(local.rpc).port), blockTimeS: 0.2 })
    node = process
  }

  it('is of use again when a node that was killed is back, and knows its blocks, events and transactions', async () => {
    const done = await ledger.submit(local.owner, { to: 'accessPolicy', data: registerData(hash(1)) })
    const block = await ledger.blockAt(done.blockNumber)
    const transaction = await ledger.transaction(done.hash)
    const receipt = await ledger.receipt(done.hash)
    const prepared = await ledger.prepare(local.owner, { to: 'accessPolicy', data: registerData(hash(2)) })
    await stopProcess(node)

    // Refused, or cut off where the connections of the node before were still being closed.
    await assert.rejects(ledger.latestBlock(), {
      ...unavailable,
      message: /: (?:ECONNREFUSED|ECONNRESET|UND_ERR_SOCKET)$/,
    })
    await assert.rejects(ledger.send(prepared.raw), unavailable)
    await assert.rejects(Ledger.connect(local.rpc, local.deployment), unavailable)
    await restart(local.dir)

    assert.ok((await ledger.latestBlock()).number >= done.blockNumber)
    assert.deepEqual(await ledger.blockAt(done.blockNumber), block)
    assert.deepEqual(await ledger.transaction(done.hash), transaction)
    assert.deepEqual(await ledger.receipt(done.hash), receipt)
    assert.deepEqual(await ledger.logs('accessPolicy', done.blockNumber, done.blockNumber), done.logs)
    assert.equal(await ledger.ownerOf(dataId(local.owner.address, hash(1))), local.owner.address)

    await ledger.send(prepared.raw)
    while ((await ledger.receipt(prepared.hash)) === undefined);
    assert.equal(await ledger.ownerOf(dataId(local.owner.address, hash(2))), local.owner.address)
  })

  it('finds all that was saved after a node was ended with SIGKILL', async () => {
    if (!isRunning(node)) await restart(local.dir)
    const done = await ledger.submit(local.owner, { to: 'accessPolicy', data: registerData(hash(3)) })
    const isSaved = async (): Promise<boolean> => {
      const text = await readFile(join(local.dir, 'anvil.json'), 'utf8')
      return text.includes(done.hash.slice(2)) && text.endsWith('}')
    }
    while (!(await isSaved())) await ledger.latestBlock()
    process.kill(node.pid, 'SIGKILL')
    while (isRunning(node)) await assert.rejects(ledger.latestBlock(), unavailable)
    await restart(local.dir)
    assert.deepEqual(await ledger.logs('accessPolicy', done.blockNumber, done.blockNumber), done.logs)
  })

  it('notices that another chain has come back in its place', async () => {
    const elsewhere = await mkdtemp(join(tmpdir(), 'attestry-elsewhere-'))
    await stopProcess(node)
    await assert.rejects(ledger.nextSeq(hash(1)), unavailable)
    await restart(elsewhere)
    await assert.rejects(ledger.nextSeq(hash(1)), { code: 'CODE_MISMATCH', message: /found no code$/ })
    await assert.rejects(ledger.nextSeq(hash(1)), { code: 'CODE_MISMATCH' })
    await stopProcess(node)
    await assert.rejects(ledger.nextSeq(hash(1)), { code: 'UNAVAILABLE' })
    await cp(join(local.dir, 'anvil.json'), join(elsewhere, 'anvil.json'))
    await restart(elsewhere)
    assert.equal(await ledger.nextSeq(hash(1)), 0n)
    await stopProcess(node)
    await rm(elsewhere, { recursive: true })
  })

  it('does not deploy without a node', async () => {
    await stopProcess(node)
    const options = { registrars: [], approvers: [], threshold: 0, profile: local.deployment.profile }
    await assert.rejects(deployContracts(local.rpc, local.owner, options), unavailable)
  })
})
