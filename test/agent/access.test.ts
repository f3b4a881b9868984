import assert from 'node:assert/strict'
import { checkAccess } from '../../src/agent/access.ts'
import { admit } from '../../src/agent/admission.ts'
import { operationId } from '../../src/record/hash.ts'
import { testHost, type TestHost } from './fixture.ts'

describe('checkAccess', () => {
  const input = Buffer.from('input')
  let host: TestHost

  before(async () => {
    host = await testHost()
  })

  const now = () => BigInt(Math.floor(Date.now() / 1000))

  /** Asks for data that nobody registered, by a clock that is wrong by so much. */
  async function ask(clockErrorS: bigint) {
    const { ledger, hostId } = host
    const signed = await host.sign('alice', { operation: 'encrypt', dataId: operationId('no data'), input })
    const admitted = admit({ hostId, domain: ledger.domain('auditLog'), maxInputBytes: 100 }, signed, input, now())
    const parts = { ledger, stalenessS: 60, now: () => now() + clockErrorS }
    return checkAccess(parts, admitted, host.vmmHash)
  }

  it('says what the ledger says, and as of which block', async () => {
    const { status, block, timestamp } = await ask(0n)
    assert.equal(status, 4)
    assert.ok(block <= (await host.ledger.latestBlock()).number)
    assert.ok(timestamp <= now())
  })

  it('refuses to decide by a block that is too old', async () => {
    await assert.rejects(ask(1000n), { code: 'LEDGER_STALE' })
  })

  it('refuses to decide by a block that is ahead of its clock', async () => {
    await assert.rejects(ask(-1000n), { code: 'LEDGER_STALE' })
  })
})
