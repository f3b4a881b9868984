import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { playScene, type Scene } from '../../hil/contracts/scene.ts'
import { stringify } from '../../src/record/json.ts'
import { ZERO_ADDRESS, ZERO_HASH } from '../../src/record/hash.ts'
import { attestry, faultOf, type Ended } from './command.ts'

describe('commands that change one thing on the ledger', function () {
  this.timeout(120_000)
  let dir: string
  let scene: Scene

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-changes-'))
    scene = await playScene('osaka')
    await writeFile(join(dir, 'deployment.json'), stringify(scene.chain.deployment))
  })
  after(async () => {
    await scene.chain.stop()
    await rm(dir, { recursive: true })
  })

  /** Runs a command as one of the scene's people. */
  async function as(person: string, ...command: readonly string[]): Promise<Ended> {
    const key = join(dir, `${person}.key`)
    await writeFile(key, `${(await scene.chain.person(person)).key.privateKey}\n`, { mode: 0o600 })
    const place = ['--rpc', scene.chain.rpc, '--deployment', join(dir, 'deployment.json'), '--key', key, '--json']
    return attestry(...command, ...place)
  }

  function done(ended: Ended): void {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    assert.equal(ended.json()['ok'], true)
  }

  it('suspend, reinstate and retire a host', async () => {
    const { chain, host } = scene
    const status = async () => (await chain.ledger.host(host.hostId)).status
    done(await as('approver1', 'host', 'suspend', host.hostId))
    assert.equal(await status(), 'Suspended')
    assert.deepEqual(faultOf(await as('registrar', 'host', 'suspend', host.hostId)), { exit: 1, code: 'REVERTED' })
    assert.deepEqual(faultOf(await as('approver1', 'host', 'reinstate', host.hostId)), { exit: 1, code: 'REVERTED' })
    done(await as('registrar', 'host', 'reinstate', host.hostId))
    assert.equal(await status(), 'Active')
    assert.deepEqual(faultOf(await as('registrar', 'host', 'retire', host.hostId)), { exit: 2, code: 'USAGE' })
    assert.equal(await status(), 'Active')
    done(await as('registrar', 'host', 'retire', host.hostId, '--yes'))
    assert.equal(await status(), 'Retired')
    const again = await as('registrar', 'host', 'reinstate', host.hostId)
    assert.match(again.stdout, /the host is retired, for good/)
    const { reason } = again.json()['error'] as { reason: object }
    assert.deepEqual(reason, { name: 'StatusUnchangeable', args: { from: 3, to: 1 } })
  })

  it('show the proofs of fraud against a host, and none against another', async () => {
    const { host, chain } = scene
    const place = ['--rpc', chain.rpc, '--deployment', join(dir, 'deployment.json')]
    const { frauds } = (await attestry('host', 'show', host.hostId, ...place, '--json')).json()
    const proven = (frauds as readonly { fraud: string; proofHash: string }[]).map(({ fraud }) => fraud)
    assert.deepEqual(proven, ['Omission', 'Equivocation', 'Contradiction'])
    assert.match((await attestry('host', 'show', host.hostId, ...place)).stdout, /fraud +PROVEN/)
    const other = await attestry('host', 'show', ZERO_HASH, ...place)
    assert.match(other.stdout, /fraud +none proven/)
  })

  it('revoke a VMM', async () => {
    const { chain, vmmHash } = scene
    assert.deepEqual(faultOf(await as('owner', 'vmm', 'revoke', vmmHash)), { exit: 1, code: 'REVERTED' })
    done(await as('approver2', 'vmm', 'revoke', vmmHash))
    assert.equal((await chain.ledger.vmm(vmmHash)).status, 'Revoked')
  })

  it('cancel a grant that nobody has entered, and no other', async () => {
    const { chain, owner, chainOfGrants } = scene
    const id = `0x${'ab'.repeat(32)}` as const
    done(await as('owner', 'grant', 'cancel', id))
    assert.equal(await chain.ledger.isCancelled(id, owner.address), true)
    const entered = chainOfGrants[0] ?? '0x'
    assert.deepEqual(faultOf(await as('owner', 'grant', 'cancel', entered)), { exit: 1, code: 'REVERTED' })
  })

  it('offer data to another owner, withdraw the offer, and accept one', async () => {
    const { chain, data } = scene
    const { address } = await chain.person('bob')
    done(await as('owner', 'data', 'offer', data, '--to', address))
    assert.equal(await chain.ledger.candidateOf(data), address)
    done(await as('owner', 'data', 'offer', data, '--to', 'nobody'))
    assert.equal(await chain.ledger.candidateOf(data), ZERO_ADDRESS)
    assert.deepEqual(faultOf(await as('bob', 'data', 'accept', data)), { exit: 1, code: 'REVERTED' })
    done(await as('owner', 'data', 'offer', data, '--to', address))
    done(await as('bob', 'data', 'accept', data))
    assert.equal(await chain.ledger.ownerOf(data), address)
  })
})
