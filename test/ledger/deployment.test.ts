import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseDeployment, readDeployment, type Deployment } from '../../src/ledger/deployment.ts'
import { stringify } from '../../src/record/json.ts'
import { hash } from './local-ledger.ts'

const contract = (byte: string): { address: `0x${string}`; codeHash: `0x${string}` } => ({
  address: `0x${byte.repeat(20)}`,
  codeHash: hash(1),
})

const account = (byte: string): `0x${string}` => `0x${byte.repeat(20)}`

const deployment: Deployment = {
  chainId: 31337n,
  block: 3n,
  profile: { transactionType: 2, maxTransactionBytes: 131_072 },
  roles: { registrars: [account('b1')], approvers: [account('c1'), account('c2')], threshold: 2 },
  contracts: {
    hostRegistry: contract('a1'),
    vmmRegistry: contract('a2'),
    accessPolicy: contract('a3'),
    auditLog: contract('a4'),
  },
}

const invalid = { name: 'LedgerError', code: 'DEPLOYMENT_INVALID' }

describe('parseDeployment', () => {
  it('reads what was written', () => {
    assert.deepEqual(parseDeployment(stringify(deployment, 2)), deployment)
  })

  it('refuses what is not exactly a deployment', () => {
    const { contracts, profile, roles, ...rest } = deployment
    const { hostRegistry, vmmRegistry, accessPolicy } = contracts
    const bad: readonly unknown[] = [
      null,
      [],
      { ...deployment, extra: 1 },
      { ...rest, profile, roles },
      { ...rest, profile, contracts },
      { ...deployment, chainId: 31337 },
      { ...deployment, chainId: '0x7a69' },
      { ...deployment, block: String(2n ** 64n) },
      { ...deployment, profile: { ...profile, transactionType: 1 } },
      { ...deployment, profile: { ...profile, maxTransactionBytes: 0 } },
      { ...deployment, profile: { ...profile, maxTransactionBytes: 1.5 } },
      { ...deployment, roles: { ...roles, registrars: [] } },
      { ...deployment, roles: { ...roles, approvers: [account('c1'), account('c1')] } },
      { ...deployment, roles: { ...roles, approvers: ['0x12', account('c1')] } },
      { ...deployment, roles: { ...roles, threshold: 0 } },
      { ...deployment, roles: { ...roles, threshold: 3 } },
      { ...deployment, contracts: { hostRegistry, vmmRegistry, accessPolicy } },
      { ...deployment, contracts: { ...contracts, fifth: contract('a5') } },
      { ...deployment, contracts: { ...contracts, auditLog: contract('A4') } },
      { ...deployment, contracts: { ...contracts, auditLog: { ...contract('a4'), codeHash: '0x12' } } },
      { ...deployment, contracts: { ...contracts, auditLog: contract('a1') } },
    ]
    for (const value of bad) assert.throws(() => parseDeployment(stringify(value)), invalid, stringify(value))
  })

  it('refuses text that is not JSON, or endless, without repeating it', () => {
    for (const text of ['{"secret": ', '', ' '.repeat(100_000)]) {
      assert.throws(() => parseDeployment(text), {
        ...invalid,
        message: 'deployment: expected JSON of at most 65536 characters',
      })
    }
  })
})

describe('readDeployment', () => {
  it('reads a file, and names one that is not there', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'attestry-deployment-'))
    const path = join(dir, 'deployment.json')
    await assert.rejects(readDeployment(path), { ...invalid, message: /deployment\.json/ })
    await writeFile(path, stringify(deployment))
    assert.deepEqual(await readDeployment(path), deployment)
    await rm(dir, { recursive: true })
  })
})
