import assert from 'node:assert/strict'
import type { Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY, HOST_REGISTRY, VMM_REGISTRY } from '../../src/ledger/abi.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import { parseDeployment, type Deployment } from '../../src/ledger/deployment.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { grantId, type Grant } from '../../src/record/grant.ts'
import { stringify } from '../../src/record/json.ts'
import { hash, startLocalLedger, type LocalLedger } from './local-ledger.ts'

describe('deployContracts', () => {
  let local: LocalLedger
  const profile = { transactionType: 2, maxTransactionBytes: 131_072 } as const

  before(async () => {
    local = await startLocalLedger()
  })

  after(() => local.stop())

  it('gives a deployment that survives its file', () => {
    assert.deepEqual(parseDeployment(stringify(local.deployment, 2)), local.deployment)
  })

  it('makes contracts that know each other, their registrars and their approvers', async () => {
    const [registrar, approver] = [await local.signer('registrar'), await local.signer('approver')]
    const deployment = await deployContracts(local.rpc, local.owner, {
      registrars: [registrar.address],
      approvers: [approver.address, local.owner.address],
      threshold: 2,
      profile: { transactionType: 0, maxTransactionBytes: 65_536 },
    })
    assert.ok(deployment.block > local.deployment.block)
    assert.notEqual(deployment.contracts.auditLog.address, local.deployment.contracts.auditLog.address)
    const ledger = await Ledger.connect(local.rpc, deployment)

    const asks = async (contract: 'hostRegistry' | 'vmmRegistry', data: string): Promise<bigint> =>
      BigInt(await ledger.call(contract, data as Hex))
    const isRegistrar = (who: Hex): string => HOST_REGISTRY.encodeFunctionData('isRegistrar', [who])
    const isApprover = (who: Hex): string => VMM_REGISTRY.encodeFunctionData('isApprover', [who])
    assert.equal(await asks('hostRegistry', isRegistrar(registrar.address)), 1n)
    assert.equal(await asks('hostRegistry', isRegistrar(local.owner.address)), 0n)
    assert.equal(await asks('vmmRegistry', isApprover(approver.address)), 1n)
    assert.equal(await asks('vmmRegistry', isApprover(registrar.address)), 0n)
    assert.equal(await asks('vmmRegistry', VMM_REGISTRY.encodeFunctionData('threshold')), 2n)

    // The contract's own idea of chain and address is that of the deployment.
    const grant = sampleGrant(approver.address)
    const answer = await ledger.call('accessPolicy', ACCESS_POLICY.encodeFunctionData('grantId', [grant]) as Hex)
    assert.equal(answer, grantId(ledger.domain('accessPolicy'), grant))
    ledger.close()
  })

  it('sends nothing where a constructor refuses its arguments', async () => {
    const ledger = await Ledger.connect(local.rpc, local.deployment)
    const nonce = await ledger.nonce(local.owner.address)
    const options = { registrars: [local.owner.address], approvers: [local.owner.address], threshold: 2, profile }
    await assert.rejects(deployContracts(local.rpc, local.owner, options), {
      code: 'REVERTED',
      reason: { name: 'ThresholdInvalid', args: { approvers: 1n, threshold: 2n } },
    })
    assert.equal(await ledger.nonce(local.owner.address), nonce)
    ledger.close()
  })

  it('refuses a chain that takes only smaller transactions than the contracts', async () => {
    const small: Deployment['profile'] = { transactionType: 2, maxTransactionBytes: 4096 }
    const options = {
      registrars: [local.owner.address],
      approvers: [local.owner.address],
      threshold: 1,
      profile: small,
    }
    await assert.rejects(deployContracts(local.rpc, local.owner, options), { code: 'TRANSACTION_TOO_LARGE' })
  })

  const sampleGrant = (grantee: Hex): Grant => ({
    dataId: hash(1),
    grantee,
    operationId: hash(2),
    notBefore: 1n,
    notAfter: 2n,
    maxUses: 3n,
    vmmHash: hash(4),
    hostId: hash(5),
    minAssurance: 1,
    delegationDepth: 2,
    parent: hash(6),
    salt: hash(7),
  })
})
