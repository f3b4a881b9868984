import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import { Ledger, type Submitted } from '../../src/ledger/ledger.ts'
import { hash, startLocalLedger, type LocalLedger } from './local-ledger.ts'
import { startLyingNode, type LyingNode } from './lying-node.ts'

describe('Ledger with a node that lies', () => {
  let local: LocalLedger
  let node: LyingNode
  let ledger: Ledger
  let first: Submitted
  let last: Submitted

  const registerData = (salt: Hex): Hex => ACCESS_POLICY.encodeFunctionData('registerData', [salt]) as Hex
  const invalid = { name: 'LedgerError', code: 'RPC_INVALID' }

  before(async () => {
    local = await startLocalLedger()
    node = await startLyingNode(local.rpc)
    ledger = await Ledger.connect(node.rpc, local.deployment)
    first = await ledger.submit(local.owner, { to: 'accessPolicy', data: registerData(hash(1)) })
    last = await ledger.submit(local.owner, { to: 'accessPolicy', data: registerData(hash(2)) })
  })

  afterEach(() => node.beHonest())

  after(async () => {
    ledger.close()
    await node.stop()
    await local.stop()
  })

  const readLogs = (): Promise<readonly unknown[]> => ledger.logs('accessPolicy', first.blockNumber, last.blockNumber)

  /** Changes members of the objects in an answer. */
  const withMembers =
    (change: Record<string, unknown>) =>
    (result: unknown): unknown => {
      if (Array.isArray(result)) return result.map((item: object) => ({ ...item, ...change }))
      return { ...(result as object), ...change }
    }

  it('refuses another block than the one asked for, and one without a hash', async () => {
    for (const change of [{ number: '0x1' }, { hash: null }, { hash: '0x12' }, { timestamp: '0x1ffffffffffffffff' }]) {
      node.lie('eth_getBlockByNumber', withMembers(change))
      await assert.rejects(ledger.blockAt(2n), invalid)
    }
  })

  it('refuses logs that were not asked for, or are in no block, or in no order', async () => {
    assert.equal((await readLogs()).length, 2)
    const changes = [
      { address: local.deployment.contracts.auditLog.address },
      { address: local.owner.address },
      { blockNumber: '0x1' },
      { blockNumber: null },
      { removed: true },
      { blockNumber: `0x${first.blockNumber.toString(16)}`, logIndex: '0x0' },
      { transactionHash: '0x' },
    ]
    for (const change of changes) {
      node.lie('eth_getLogs', withMembers(change))
      await assert.rejects(readLogs(), invalid, JSON.stringify(change))
    }
    node.lie('eth_getLogs', (logs) => (logs as unknown[]).toReversed())
    await assert.rejects(readLogs(), invalid)
  })

  it('refuses logs of unknown events, and encodings that are not the canonical one', async () => {
    const topic = ACCESS_POLICY.getEvent('DataRegistered')?.topicHash
    const dirty = `0x01${'00'.repeat(11)}${local.owner.address.slice(2)}`
    for (const change of [
      { topics: [] },
      { topics: [hash(1)] },
      { topics: [topic, hash(1)] },
      { topics: [topic, hash(1), dirty] },
      { topics: [topic, hash(1), hash(1), hash(1), hash(1)] },
      { data: '0x00' },
      { data: null },
    ]) {
      node.lie('eth_getLogs', withMembers(change))
      await assert.rejects(readLogs(), invalid, JSON.stringify(change))
    }
  })

  it('refuses a transaction whose content does not hash to its hash', async () => {
    assert.equal((await ledger.transaction(first.hash))?.input, registerData(hash(1)))
    const changes = [
      { input: registerData(hash(3)) },
      { to: local.owner.address },
      { nonce: '0x99' },
      { r: hash(1) },
      { type: '0x0' },
      { type: '0x3' },
      { accessList: [{ address: local.owner.address, storageKeys: [] }] },
    ]
    for (const change of changes) {
      node.lie('eth_getTransactionByHash', withMembers(change))
      await assert.rejects(ledger.transaction(first.hash), invalid, JSON.stringify(change))
    }
  })

  it('takes the sender from the signature and not from the node', async () => {
    node.lie('eth_getTransactionByHash', withMembers({ from: hash(1), hash: hash(2) }))
    assert.equal((await ledger.transaction(first.hash))?.from, local.owner.address)
  })

  it('refuses the receipt of another transaction', async () => {
    node.lie('eth_getTransactionReceipt', withMembers({ transactionHash: last.hash }))
    await assert.rejects(ledger.receipt(first.hash), invalid)
  })

  it('refuses answers of views that are not what the view answers', async () => {
    const answers: readonly unknown[] = ['0x', '0x00', `0x${'00'.repeat(31)}02`, `0x${'00'.repeat(64)}`, null, 7, {}]
    for (const answer of answers) {
      node.lie('eth_call', () => answer)
      await assert.rejects(ledger.isAuthorised(hash(1)), invalid, JSON.stringify(answer))
    }
    node.lie('eth_call', () => `0x${'00'.repeat(31)}09${'00'.repeat(32 * 6)}`)
    await assert.rejects(ledger.host(hash(1)), invalid)
  })

  it('refuses an absurd fee before anything is signed', async () => {
    const unused = { ...local.owner, signDigest: () => assert.fail('was asked to sign') }
    const order = { to: 'accessPolicy', data: registerData(hash(4)) } as const
    node.lie('eth_maxPriorityFeePerGas', () => '0xffffffffffffff')
    await assert.rejects(ledger.prepare(unused, order), { code: 'FEE_TOO_HIGH' })
    node.beHonest()
    node.lie('eth_getBlockByNumber', withMembers({ baseFeePerGas: '0xffffffffffffff' }))
    await assert.rejects(ledger.prepare(unused, order), { code: 'FEE_TOO_HIGH' })
    node.lie('eth_getBlockByNumber', withMembers({ baseFeePerGas: undefined }))
    await assert.rejects(ledger.prepare(unused, order), { code: 'TRANSACTION_TYPE_UNSUPPORTED' })
  })

  it('refuses another hash for what it sent', async () => {
    const { raw } = await ledger.prepare(local.owner, { to: 'accessPolicy', data: registerData(hash(5)) })
    node.lie('eth_sendRawTransaction', () => hash(9))
    await assert.rejects(ledger.send(raw), invalid)
  })

  it('does not believe a head that is older than one it saw', async () => {
    await ledger.latestBlock()
    node.lie('eth_getBlockByNumber', withMembers({ number: '0x1' }))
    await assert.rejects(ledger.latestBlock(), { code: 'UNAVAILABLE', message: /^the node is at block 1 and was at/ })
  })

  it('refuses what is no answer to its question', async () => {
    const endings: readonly ((response: ServerResponse, id: number) => unknown)[] = [
      (response) => response.end('<html>'),
      (response) => response.end('null'),
      (response, id) => response.end(JSON.stringify({ jsonrpc: '2.0', id: id + 1, result: '0x1' })),
      (response, id) => response.end(JSON.stringify({ jsonrpc: '2.0', id })),
      (response, id) => response.end(JSON.stringify({ jsonrpc: '2.0', id, error: 'no', result: '0x1' })),
      (response, id) => response.end(`{"jsonrpc": "2.0", "id": ${id}, "result": "${'0'.repeat(2 ** 25)}"}`),
    ]
    for (const end of endings) {
      node.answer((response, id) => void end(response, id))
      await assert.rejects(ledger.latestBlock(), invalid)
    }
  })

  it('says in one printable line what a node refuses with', async () => {
    const error = { code: -32000, message: `no\n\u001b[31m${'x'.repeat(1000)}` }
    node.answer((response, id) => void response.end(JSON.stringify({ jsonrpc: '2.0', id, error })))
    await assert.rejects(ledger.latestBlock(), { code: 'RPC_REFUSED', message: /^[\x20-\x7e]{1,400}$/ })
  })

  it('gives up on a node that fails, sends elsewhere, ends early or never answers', async () => {
    const impatient = await Ledger.connect(node.rpc, local.deployment, 300)
    const endings: readonly ((response: ServerResponse) => unknown)[] = [
      (response) => response.writeHead(503).end('busy'),
      (response) => response.writeHead(307, { location: local.rpc }).end(),
      (response) => response.destroy(),
      (response) => response.write('{"jsonrpc": '),
      () => undefined,
    ]
    for (const end of endings) {
      node.answer((response) => void end(response))
      await assert.rejects(impatient.latestBlock(), { code: 'UNAVAILABLE' })
    }
    node.beHonest()
    assert.ok((await impatient.latestBlock()).number > 0n)
    impatient.close()
  })

  it('goes on waiting for a transaction while the node is away', async () => {
    node.lie('eth_sendRawTransaction', (sent) => {
      let left = 3
      node.answer((response) => {
        if (--left === 0) node.beHonest()
        response.writeHead(503).end()
      })
      return sent
    })
    const { logs } = await ledger.submit(local.owner, { to: 'accessPolicy', data: registerData(hash(6)) })
    assert.equal(logs[0]?.name, 'DataRegistered')
  })

  it('ends what is under way when it is closed', async () => {
    const closing = await Ledger.connect(node.rpc, local.deployment)
    const asked = new Promise<void>((resolve) => {
      node.answer(() => resolve())
    })
    const pending = assert.rejects(closing.latestBlock(), { code: 'UNAVAILABLE', message: /: closed$/ })
    await asked
    closing.close()
    await pending
  })
})
