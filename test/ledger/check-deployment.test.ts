import assert from 'node:assert/strict'
import type { Hex } from '../../src/core/bytes.ts'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { batchCapacity } from '../../src/ledger/batch-capacity.ts'
import { checkDeployment, type DeploymentReport } from '../../src/ledger/check-deployment.ts'
import type { Deployment } from '../../src/ledger/deployment.ts'
import { RpcEndpoint } from '../../src/ledger/rpc.ts'
import { keccak256 } from '../../src/record/hash.ts'
import type { Hardfork } from '../../hil/stack/anvil.ts'
import { startLocalLedger, type LocalLedger } from './local-ledger.ts'
import { startLyingNode, type LyingNode } from './lying-node.ts'

/** What go-ethereum and GoQuorum say to a transaction that is too large. */
const OVERSIZED = { code: -32000, message: 'oversized data' }
const LIMIT = 65_536

describe('checkDeployment', function () {
  this.timeout(120_000)

  for (const hardfork of ['osaka', 'berlin'] as const satisfies readonly Hardfork[]) {
    describe(`on ${hardfork}`, () => {
      let local: LocalLedger
      let node: LyingNode

      before(async () => {
        local = await startLocalLedger(hardfork === 'berlin' ? 0 : 2, hardfork)
        node = await startLyingNode(local.rpc)
      })
      afterEach(() => node.beHonest())
      after(async () => {
        await node.stop()
        await local.stop()
      })

      it('finds that all is as the file says, and what the chain has', async () => {
        const report = await checkDeployment(node.rpc, local.deployment)
        assert.deepEqual([report.ok, failed(report)], [true, []])
        const { p256Precompile, baseFee } = report.chain
        assert.deepEqual([p256Precompile, baseFee], hardfork === 'berlin' ? [false, false] : [true, true])
        assert.ok(report.roles !== undefined && report.capacity !== undefined)
      })

      it('finds a type of transaction that the chain does not take, and compares the roles all the same', async () => {
        const report = await checkDeployment(node.rpc, withProfile(local.deployment, { transactionType: 2 }))
        assert.deepEqual(failed(report), hardfork === 'berlin' ? ['transactions'] : [])
        assert.deepEqual(report.roles?.registrars, [local.owner.address])
        const other = { ...local.deployment.roles, registrars: [`0x${'01'.repeat(20)}`] as const }
        const both = await checkDeployment(node.rpc, {
          ...withProfile(local.deployment, { transactionType: 2 }),
          roles: other,
        })
        assert.deepEqual(failed(both), [...failed(report), 'first registrars'])
      })

      it('finds a size that the chain refuses, compares the roles all the same, and names no capacity', async () => {
        node.refuse('eth_sendRawTransaction', ([raw]) => (sizeOf(raw) > LIMIT ? OVERSIZED : undefined))
        const large = await checkDeployment(node.rpc, withProfile(local.deployment, { maxTransactionBytes: 131_072 }))
        assert.deepEqual(failed(large), ['transaction size'])
        assert.deepEqual(large.roles?.registrars, [local.owner.address])
        assert.equal(large.capacity, undefined)
        const small = await checkDeployment(node.rpc, withProfile(local.deployment, { maxTransactionBytes: LIMIT }))
        assert.deepEqual(failed(small), [])
        assert.equal(small.capacity?.byTransactionSize, small.capacity?.records)
      })

      it('asks with a transaction of that size, up to a few bytes', async () => {
        const sizes: number[] = []
        node.refuse('eth_sendRawTransaction', ([raw]) => void sizes.push(sizeOf(raw)))
        await checkDeployment(node.rpc, withProfile(local.deployment, { maxTransactionBytes: LIMIT }))
        assert.ok(sizes.length === 1 && Number(sizes[0]) <= LIMIT && Number(sizes[0]) > LIMIT - 100, sizes.join())
      })

      it('takes only the right answer for a precompile', async () => {
        for (const answer of ['0x', `0x${'00'.repeat(32)}`, `0x${'00'.repeat(31)}02`, `0x${'00'.repeat(31)}0100`]) {
          node.lie('eth_call', (result, [call]) => (isProbe(call) ? answer : result))
          const { chain } = await checkDeployment(node.rpc, local.deployment)
          assert.equal(chain.p256Precompile, false, answer)
        }
        node.lie('eth_call', (result, [call]) => (isProbe(call) ? `0x${'00'.repeat(31)}01` : result))
        assert.equal((await checkDeployment(node.rpc, local.deployment)).chain.p256Precompile, true)
      })

      it('finds code of the same length that was compiled from something else, though the file has its hash', async () => {
        const { auditLog } = local.deployment.contracts
        let codeHash: Hex = '0x'
        node.lie('eth_getCode', (result, [address]) => {
          if (address !== auditLog.address) return result
          const code = fromHex(result as Hex)
          // Behind the immutables and before the metadata: an instruction.
          code[200] = (code[200] ?? 0) ^ 1
          codeHash = keccak256(code)
          return toHex(code)
        })
        await checkDeployment(node.rpc, local.deployment)
        const contracts = { ...local.deployment.contracts, auditLog: { ...auditLog, codeHash } }
        const report = await checkDeployment(node.rpc, { ...local.deployment, contracts })
        assert.deepEqual(failed(report), ['auditLog: compiled', 'auditLog: references'])
        assert.equal(report.roles, undefined)
      })

      it('counts what fits by gas where a block has little', async () => {
        const endpoint = new RpcEndpoint(local.rpc, 5000)
        await endpoint.request('evm_setBlockGasLimit', ['0x2dc6c0'])
        const before = await endpoint.request('eth_blockNumber', [])
        while ((await endpoint.request('eth_blockNumber', [])) === before);
        endpoint.close()
        const { chain, capacity } = await checkDeployment(node.rpc, local.deployment)
        assert.equal(chain.blockGasLimit, 3_000_000n)
        assert.ok(capacity !== undefined)
        // 3,000,000 less what a batch costs without its records, 5,200 for each of them.
        assert.equal(capacity.byGas, hardfork === 'berlin' ? 480 : 526)
        assert.equal(capacity.records, Math.min(capacity.byGas, capacity.byTransactionSize))
        const tight = batchCapacity(local.deployment.profile, { ...chain, blockGasLimit: 1_000_000n })
        assert.deepEqual([tight.records, tight.byGas], hardfork === 'berlin' ? [96, 96] : [142, 142])
      })
    })
  }
})

function failed({ checks }: DeploymentReport): readonly string[] {
  return checks.filter(({ ok }) => !ok).map(({ check }) => check)
}

function withProfile(deployment: Deployment, profile: Partial<Deployment['profile']>): Deployment {
  return { ...deployment, profile: { ...deployment.profile, ...profile } }
}

function sizeOf(raw: unknown): number {
  return String(raw).length / 2 - 1
}

function isProbe(call: unknown): boolean {
  return (call as { to?: string }).to === `0x${'00'.repeat(18)}0100`
}
