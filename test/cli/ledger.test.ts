import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getCreateAddress } from 'ethers'
import { setBalance, startAnvil } from '../../hil/stack/anvil.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { CONTRACT_NAMES, parseDeployment, type Deployment } from '../../src/ledger/deployment.ts'
import { RpcEndpoint } from '../../src/ledger/rpc.ts'
import { keyFileSigner } from '../../src/ledger/signer.ts'
import { stringify } from '../../src/record/json.ts'
import { RpcProxy } from '../agent/rpc-proxy.ts'
import { keyFile } from '../ledger/local-ledger.ts'
import { attestry, attestryIn, faultOf, startAttestry } from './command.ts'

const APPROVERS = ['0x70997970c51812dc3a010c7d01b50e0d17dc79c8', '0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc'] as const

describe('attestry ledger', function () {
  this.timeout(120_000)
  let dir: string
  let anvil: StackProcess
  let rpc: string

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-ledger-cli-'))
    ;({ process: anvil, rpc } = await startAnvil(dir, { blockTimeS: 0.2 }))
  })
  after(async () => {
    await stopProcess(anvil)
    await rm(dir, { recursive: true })
  })

  /** A configuration with a deployer of its own. */
  async function place(change: (text: string) => string = (text) => text) {
    const name = randomBytes(4).toString('hex')
    const key = await keyFile(dir, name)
    const { address } = await keyFileSigner(key)
    await setBalance(rpc, address)
    const config = join(dir, `${name}.toml`)
    const output = join(dir, `${name}.json`)
    const text = [
      `key_file = "${name}.key"`,
      `output = "${name}.json"`,
      '[ledger]',
      `rpc = "${rpc}"`,
      'chain_id = 31337',
      '[roles]',
      `registrars = ["${APPROVERS[0]}"]`,
      `approvers = ["${APPROVERS.join('", "')}"]`,
      'threshold = 2',
    ].join('\n')
    await writeFile(config, change(text))
    return { config, output, address, plan: `${output}.plan` }
  }

  async function sentBy(address: Hex, block: 'latest' | 'pending' = 'latest'): Promise<number> {
    const endpoint = new RpcEndpoint(rpc, 5000)
    const count = await endpoint.request('eth_getTransactionCount', [address, block])
    endpoint.close()
    return Number(count)
  }

  async function deploymentOf(output: string): Promise<Deployment> {
    return parseDeployment(await readFile(output, 'utf8'))
  }

  for (const [name, change, code] of [
    ['a type of transaction that no profile has', 'chain_id = 31337\ntransaction_type = 1', 'CONFIG_INVALID'],
    ['a key that it does not know', 'chain_id = 31337\nchain = 1', 'CONFIG_UNKNOWN_KEY'],
    ['no chain id', '', 'CONFIG_INVALID'],
  ] as const) {
    it(`refuses a configuration with ${name}`, async () => {
      const { config, output, plan } = await place((text) => text.replace('chain_id = 31337', change))
      const ended = await attestry('ledger', 'deploy', '--config', config, '--json')
      assert.deepEqual(faultOf(ended), { exit: 2, code })
      assert.ok(!existsSync(output) && !existsSync(plan))
    })
  }

  it('deploys one set, checks it, and says so the second time without sending anything', async () => {
    const { config, output, address, plan } = await place()
    const first = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual([first.code, first.json()['done'], first.json()['ok']], [0, 'deployed', true])
    assert.equal(existsSync(plan), false)
    for (const name of CONTRACT_NAMES) assert.match(first.stderr, new RegExp(`^${name}: sending$`, 'm'))
    const second = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual([second.code, second.json()['done']], [0, 'already'])
    assert.equal(await sentBy(address), 4)
    const whole = await readFile(output, 'utf8')
    await rm(output)
    const lost = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual([lost.code, lost.json()['done'], await readFile(output, 'utf8')], [0, 'resumed', whole])
    assert.equal(await sentBy(address), 4)
    assert.equal(existsSync(plan), false)

    const said = await attestry('ledger', 'check', '--rpc', rpc, '--deployment', output)
    const { contracts, block } = await deploymentOf(output)
    for (const name of CONTRACT_NAMES) assert.match(said.stdout, new RegExp(`${name} +${contracts[name].address}`))
    assert.match(said.stdout, new RegExp(`chain +31337, from block ${block}\n`))
    assert.match(said.stdout, /transaction +131072 bytes by the file, 16777216 gas/)
    const checked = await attestry('ledger', 'check', '--rpc', rpc, '--deployment', output, '--json')
    assert.deepEqual([checked.code, checked.json()['ok']], [0, true])
    const { roles, chain, capacity } = checked.json() as Record<string, Record<string, unknown>>
    assert.deepEqual(roles, { registrars: [APPROVERS[0]], approvers: [...APPROVERS], threshold: 2, term: 1 })
    assert.equal(chain?.['p256Precompile'], true)
    assert.ok(Number(capacity?.['records']) > 600)
  })

  describe('killed', () => {
    let proxy: RpcProxy

    beforeEach(async () => {
      proxy = await RpcProxy.open(rpc)
    })
    afterEach(async () => proxy.close())

    /** Runs it again to the end: one set, where the first four transactions of its deployer are meant to put it. */
    async function endsWithOneSet(at: Awaited<ReturnType<typeof place>>, done: string): Promise<void> {
      const again = await attestry('ledger', 'deploy', '--config', at.config, '--json')
      assert.deepEqual([again.code, again.json()['done'], again.json()['ok']], [0, done, true])
      assert.equal(await sentBy(at.address), 4)
      assert.ok(!existsSync(at.plan))
      const { contracts } = await deploymentOf(at.output)
      assert.deepEqual(
        CONTRACT_NAMES.map((name) => contracts[name].address),
        CONTRACT_NAMES.map((_, nonce) => getCreateAddress({ from: at.address, nonce }).toLowerCase()),
      )
    }

    const throughProxy = (text: string): string => text.replace(/rpc = .*/, `rpc = "${proxy.url}"`)

    for (let n = 0; n < 4; n++) {
      for (const [moment, method, when, sent] of [
        [`before the node has transaction ${n}`, 'eth_sendRawTransaction', 'request', n],
        [`after the node took transaction ${n}`, 'eth_sendRawTransaction', 'answer', n + 1],
        [`waiting for receipt ${n}`, 'eth_getTransactionReceipt', 'request', 4],
        [`with receipt ${n} on its way`, 'eth_getTransactionReceipt', 'answer', 4],
      ] as const) {
        it(`${moment}, it ends with one set`, async () => {
          const at = await place(throughProxy)
          const subjects = new Set<unknown>()
          const held = proxy.hold((request) => {
            if (request.method === method) subjects.add(request.params[0])
            return request.method === method && subjects.size === n + 1
          }, when)
          const run = startAttestry('ledger', 'deploy', '--config', at.config)
          const ended = once(run, 'exit')
          await Promise.race([held.arrived, ended])
          run.kill('SIGKILL')
          await ended
          held.drop()
          assert.equal(run.signalCode, 'SIGKILL')
          assert.equal(await sentBy(at.address, 'pending'), sent)
          assert.ok(existsSync(at.plan) && !existsSync(at.output))
          await endsWithOneSet(at, 'resumed')
        })
      }
    }

    for (const [moment, there, sent, done] of [
      ['before 0', [false, false], 0, 'deployed'],
      ['after 0', [true, false], 0, 'resumed'],
      ['before 1', [true, false], 4, 'resumed'],
      ['after 1', [true, true], 4, 'already'],
    ] as const) {
      it(`${moment.replace(' 0', ' the plan').replace(' 1', ' the deployment file')} gets its name, it ends with one set`, async () => {
        const at = await place()
        const preload = fileURLToPath(new URL('kill-at-rename.ts', import.meta.url))
        const environment = { KILL_AT_RENAME: moment, NODE_OPTIONS: `--import ${preload}` }
        const killed = await attestryIn(environment, 'ledger', 'deploy', '--config', at.config)
        assert.equal(killed.code, null)
        assert.deepEqual([existsSync(at.plan), existsSync(at.output)], there)
        assert.equal(await sentBy(at.address), sent)
        await endsWithOneSet(at, done)
      })
    }
  })

  it('refuses a deployment file of other settings in its place, and sends nothing', async () => {
    const { config, address } = await place()
    assert.equal((await attestry('ledger', 'deploy', '--config', config)).code, 0)
    const text = await readFile(config, 'utf8')
    for (const [from, to] of [
      ['threshold = 2', 'threshold = 1'],
      ['chain_id = 31337', 'chain_id = 1'],
      ['chain_id = 31337', 'chain_id = 31337\nmax_transaction_bytes = 65536'],
      [`registrars = ["${APPROVERS[0]}"]`, `registrars = ["${APPROVERS[1]}"]`],
    ] as const) {
      await writeFile(config, text.replace(from, to))
      const changed = await attestry('ledger', 'deploy', '--config', config, '--json')
      assert.deepEqual(faultOf(changed), { exit: 2, code: 'DEPLOYMENT_CHANGED' }, to)
    }
    assert.equal(await sentBy(address), 4)
  })

  it('makes one set where two are at it at once', async () => {
    const { config, output, address } = await place()
    const both = await Promise.all([1, 2].map(() => attestry('ledger', 'deploy', '--config', config, '--json')))
    assert.deepEqual(both.map((ended) => String(ended.json()['done'])).toSorted(), ['already', 'deployed'])
    assert.equal(await sentBy(address), 4)
    assert.equal((await deploymentOf(output)).chainId, 31337n)
  })

  it('finishes what was begun, and refuses to finish it with other settings', async () => {
    const { config, output, plan, address } = await place()
    const run = startAttestry('ledger', 'deploy', '--config', config)
    const ended = new Promise<void>((resolve) => void run.once('exit', () => resolve()))
    while (!existsSync(plan) && run.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1))
    run.kill('SIGKILL')
    await ended
    assert.ok(existsSync(plan) && !existsSync(output))
    const text = await readFile(config, 'utf8')
    await writeFile(config, text.replace('threshold = 2', 'threshold = 1'))
    const changed = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual(faultOf(changed), { exit: 2, code: 'DEPLOYMENT_CHANGED' })
    assert.match(changed.stdout, /\.json\.plan: .* with threshold 2, not 1; [0-4] of its 4 contracts are on the chain/)
    await writeFile(plan, (await readFile(plan, 'utf8')).slice(0, 300))
    await writeFile(config, text)
    const damaged = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual(faultOf(damaged), { exit: 2, code: 'DEPLOYMENT_INVALID' })
    assert.match(damaged.stdout, /\.json\.plan: damaged/)
    assert.ok((await sentBy(address)) <= 4)
  })

  it('refuses another chain, an unknown key, an impossible threshold and a key that others can read', async () => {
    const cases: readonly (readonly [(text: string) => string, number, string])[] = [
      [(text) => text.replace('31337', '1'), 4, 'CHAIN_ID_MISMATCH'],
      [(text) => text.replace('threshold', 'treshold'), 2, 'CONFIG_UNKNOWN_KEY'],
      [(text) => text.replace('threshold = 2', 'threshold = 3'), 2, 'CONFIG_INVALID'],
      [(text) => text.replace(APPROVERS[1], APPROVERS[0]), 2, 'CONFIG_INVALID'],
      [(text) => text.replace(APPROVERS[1], `0x${'00'.repeat(20)}`), 2, 'CONFIG_INVALID'],
      [(text) => `${text}\nx = `, 2, 'CONFIG_SYNTAX'],
      [(text) => text.replace(/key_file = .*/, 'key_file = "nowhere"'), 2, 'KEY_FILE_INVALID'],
      [(text) => text.replace(/rpc = .*/, 'rpc = "http://127.0.0.1:1"'), 4, 'UNAVAILABLE'],
    ]
    for (const [change, code, error] of cases) {
      const { config, output } = await place(change)
      const found = await attestry('ledger', 'deploy', '--config', config, '--json')
      assert.deepEqual(faultOf(found), { exit: code, code: error })
      assert.equal(existsSync(output), false)
    }
  })

  it('says what an account lacks that cannot pay, and takes another one then', async () => {
    const { config, output, address, plan } = await place()
    await setBalance(rpc, address, 1000n)
    const poor = await attestry('ledger', 'deploy', '--config', config, '--json')
    assert.deepEqual(faultOf(poor), { exit: 4, code: 'FUNDS_MISSING' })
    assert.match(poor.stdout, new RegExp(`${address} has 1000 wei, and the four contracts may cost up to \\d+ wei`))
    assert.equal(existsSync(plan), false)
    const rich = await place()
    const text = await readFile(config, 'utf8')
    const [, key = ''] = /(key_file = .*)/.exec(await readFile(rich.config, 'utf8')) ?? []
    await writeFile(config, text.replace(/key_file = .*/, key))
    assert.equal((await attestry('ledger', 'deploy', '--config', config)).code, 0)
    assert.ok(existsSync(output))
  })

  it('says what to set on a chain that has no base fee', async () => {
    const berlin = await startAnvil(await mkdtemp(join(dir, 'berlin-')), { hardfork: 'berlin' })
    try {
      const { config } = await place((text) => text.replace(/rpc = .*/, `rpc = "${berlin.rpc}"`))
      const ended = await attestry('ledger', 'deploy', '--config', config, '--json')
      assert.deepEqual(faultOf(ended), { exit: 2, code: 'TRANSACTION_TYPE_UNSUPPORTED' })
      assert.match(ended.stdout, /set transaction_type = 0/)
      const free = await place((text) =>
        text.replace(/rpc = .*/, `rpc = "${berlin.rpc}"`).replace('[roles]', 'transaction_type = 0\n[roles]'),
      )
      const { code, stdout } = await attestry('ledger', 'deploy', '--config', free.config)
      assert.equal(code, 0)
      // EIP-7825 is not of that chain's rules: a transaction may use a block's gas.
      assert.match(stdout, /bytes by the file, 30000000 gas/)
    } finally {
      await stopProcess(berlin.process)
    }
  })

  it('says on Ctrl-C that it can be run again', async () => {
    const { config, output, plan, address } = await place()
    const run = startAttestry('ledger', 'deploy', '--config', config)
    const ended = new Promise<number | null>((resolve) => void run.once('exit', resolve))
    while (!existsSync(plan) && run.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 1))
    run.kill('SIGINT')
    assert.equal(await ended, 130)
    assert.equal((await attestry('ledger', 'deploy', '--config', config)).code, 0)
    assert.ok(existsSync(output))
    assert.equal(await sentBy(address), 4)
  })

  it('names the option that is misspelt, and the one that is missing', async () => {
    assert.match((await attestry('ledger', 'deploy', '--confg', 'x')).stderr, /unknown option '--confg'/)
    const without = await attestry('ledger', 'deploy', '--json')
    assert.deepEqual(faultOf(without), { exit: 2, code: 'USAGE' })
    const absent = await attestry('ledger', 'deploy', '--config', join(dir, 'absent.toml'))
    assert.match(absent.stderr, /absent\.toml: no such file or directory \(CONFIG_UNREADABLE\)/)
  })

  it('finds each way in which a chain is not what the file says', async () => {
    const { config, output } = await place()
    await attestry('ledger', 'deploy', '--config', config)
    const whole = await deploymentOf(output)
    const other = join(dir, 'other.json')
    const checked = async (deployment: Deployment) => {
      await writeFile(other, stringify(deployment))
      const ended = await attestry('ledger', 'check', '--rpc', rpc, '--deployment', other, '--json')
      const checks = (ended.json()['checks'] ?? []) as readonly { readonly check: string; readonly ok: boolean }[]
      return { code: ended.code, failed: checks.filter(({ ok }) => !ok).map(({ check }) => check) }
    }
    assert.deepEqual(await checked(whole), { code: 0, failed: [] })
    assert.deepEqual((await checked({ ...whole, chainId: 5n })).failed, ['chain id'])
    for (const name of CONTRACT_NAMES) {
      const contracts = { ...whole.contracts, [name]: { ...whole.contracts[name], codeHash: `0x${'ee'.repeat(32)}` } }
      assert.deepEqual(await checked({ ...whole, contracts }), { code: 1, failed: [`${name}: code`] })
    }
    for (const [roles, failed] of [
      [{ ...whole.roles, threshold: 1 }, 'first threshold'],
      [{ ...whole.roles, approvers: [...APPROVERS].reverse() }, 'first approvers'],
      [{ ...whole.roles, registrars: [APPROVERS[1]] }, 'first registrars'],
    ] as const) {
      assert.deepEqual(await checked({ ...whole, roles }), { code: 1, failed: [failed] })
    }
    for (const block of [whole.block + 1n, whole.block - 1n, whole.block + 1_000_000n]) {
      assert.deepEqual(await checked({ ...whole, block }), { code: 1, failed: ['block'] })
    }
    // Contracts of two sets do not know each other.
    const second = await place()
    await attestry('ledger', 'deploy', '--config', second.config)
    const { auditLog } = (await deploymentOf(second.output)).contracts
    const mixed = await checked({ ...whole, contracts: { ...whole.contracts, auditLog } })
    assert.deepEqual(mixed, { code: 1, failed: ['accessPolicy: references', 'auditLog: references'] })
    const nowhere = { address: `0x${'01'.repeat(20)}`, codeHash: auditLog.codeHash } as const
    const absent = await checked({ ...whole, contracts: { ...whole.contracts, auditLog: nowhere } })
    assert.ok(absent.failed.includes('auditLog: code') && absent.failed.includes('auditLog: compiled'))
  })
})
