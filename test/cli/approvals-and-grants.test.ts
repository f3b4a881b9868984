import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startContractChain, type ContractChain } from '../../hil/contracts/chain.ts'
import { prediction } from '../../hil/contracts/host.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { dataId, ZERO_HASH } from '../../src/record/hash.ts'
import { stringify } from '../../src/record/json.ts'
import { attestry, faultOf, type Ended } from './command.ts'

const SALT = toHex(new Uint8Array(32).fill(0x51))
/** The chain's own clock begins in 2027. */
const DEADLINE = ['--deadline', '2030-01-01'] as const
const DAY = 86_400

describe('approvals and grants by command', function () {
  this.timeout(120_000)
  let dir: string
  let chain: ContractChain
  let data: Hex
  let predictions = 0

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-approvals-'))
    chain = await startContractChain('osaka')
    await writeFile(file('deployment.json'), stringify(chain.deployment))
    const alice = await chain.person('alice')
    await chain.send(alice, 'accessPolicy', 'registerData', [SALT])
    data = dataId(alice.address, SALT)
  })
  after(async () => {
    await chain.stop()
    await rm(dir, { recursive: true })
  })

  function file(name: string): string {
    return join(dir, name)
  }

  function place(...more: readonly string[]): readonly string[] {
    return ['--rpc', chain.rpc, '--deployment', file('deployment.json'), ...more]
  }

  /** Runs a command as somebody. */
  async function as(name: string, ...command: readonly string[]): Promise<Ended> {
    const key = file(`${name}.key`)
    await writeFile(key, `${(await chain.person(name)).key.privateKey}\n`, { mode: 0o600 })
    return attestry(...command, ...place('--key', key))
  }

  async function predicted(): Promise<Hex> {
    const { vmmHash, attested } = prediction(new Uint8Array(32).fill(++predictions))
    await chain.send(await chain.person('approver1'), 'vmmRegistry', 'predict', [attested, ZERO_HASH])
    return vmmHash
  }

  function done(ended: Ended): Record<string, unknown> {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return ended.json()
  }

  /** Everything that is said fits a terminal. */
  function narrow(ended: Ended): string {
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    const wide = ended.stdout.split('\n').filter((line) => line.replace(dir, '').length > 80)
    assert.deepEqual(wide, [])
    return ended.stdout
  }

  describe('attestry vmm approve', () => {
    it('has two approvers at different times agree on a validity of so many days', async () => {
      const vmmHash = await predicted()
      const first = await as('approver1', 'vmm', 'approve', vmmHash, '--valid-until', '+900d')
      const [, day = ''] = /--valid-until (\S+) --as NAME/.exec(narrow(first)) ?? []
      assert.match(day, /^\d{4}-\d{2}-\d{2}$/)
      assert.match(first.stdout, new RegExp(`1 of 2 approvals for validity until ${day}`))
      const second = done(await as('approver2', 'vmm', 'approve', vmmHash, '--valid-until', '+900d', '--json'))
      assert.deepEqual([second['status'], second['approvals'], second['threshold']], ['Authorised', 2, 2])
      const { validUntil } = await chain.ledger.vmm(vmmHash)
      assert.equal(validUntil % BigInt(DAY), 0n)
      assert.equal(String(second['validUntil']), String(validUntil))
      assert.equal(new Date(Number(validUntil) * 1000).toISOString().slice(0, 10), day)
      const ahead = Number(validUntil) - (Date.now() / 1000 + 900 * DAY)
      assert.ok(ahead > -60 && ahead <= DAY, String(ahead))
    })

    it('says where another validity has an approval already, and vmm list shows what waits', async () => {
      const vmmHash = await predicted()
      narrow(await as('approver1', 'vmm', 'approve', vmmHash))
      const other = narrow(await as('approver2', 'vmm', 'approve', vmmHash, '--valid-until', '2035-01-31'))
      assert.match(other, /1 of 2 approvals for validity without end/)
      assert.match(other, /1 of 2 approvals for validity until 2035-01-31/)
      assert.match(narrow(await attestry('vmm', 'list', ...place())), /waiting {2}1 of 2 approvals .* until 2035-01-31/)
      const { vmms } = done(await attestry('vmm', 'list', ...place('--json')))
      const listed = (vmms as readonly { vmmHash: Hex; pending: readonly object[] }[]).find(
        (v) => v.vmmHash === vmmHash,
      )
      const [approver1, approver2] = [await chain.person('approver1'), await chain.person('approver2')]
      assert.deepEqual(listed?.pending, [
        { vmmHash, epoch: 1, validUntil: String(2n ** 64n - 1n), approvers: [approver1.address], threshold: 2 },
        { vmmHash, epoch: 1, validUntil: '2053814400', approvers: [approver2.address], threshold: 2 },
      ])
      done(await as('approver2', 'vmm', 'approve', vmmHash, '--json'))
      assert.doesNotMatch(
        narrow(await attestry('vmm', 'list', ...place())),
        new RegExp(`${vmmHash}.*\n.*\n {2}waiting`),
      )
    })

    it('signs approvals for anybody to enter', async () => {
      const vmmHash = await predicted()
      for (const approver of ['approver1', 'approver3']) {
        const sign = ['--sign-only', file(`${approver}.json`), '--valid-until', '2035-01-31', ...DEADLINE]
        narrow(await as(approver, 'vmm', 'approve', vmmHash, ...sign))
      }
      assert.equal((await chain.ledger.vmm(vmmHash)).status, 'Proposed')
      const files = [file('approver1.json'), file('approver3.json')]
      const entered = done(await as('anybody', 'vmm', 'approve', vmmHash, '--approval', ...files, '--json'))
      assert.deepEqual([entered['status'], entered['approvals']], ['Authorised', 2])
      assert.equal((await chain.ledger.vmm(vmmHash)).validUntil, 2_053_814_400n)
    })

    it('refuses signed approvals of something else, and of a chain elsewhere', async () => {
      const [vmmHash, other] = [await predicted(), await predicted()]
      const path = file('other.json')
      done(await as('approver1', 'vmm', 'approve', other, '--sign-only', path, ...DEADLINE, '--json'))
      const enter = (...more: readonly string[]) =>
        as('approver2', 'vmm', 'approve', ...more, '--approval', path, '--json')
      const refused = (ended: Ended, message: RegExp) => {
        assert.deepEqual(faultOf(ended), { exit: 2, code: 'USAGE' })
        assert.match(ended.stdout, message)
      }
      refused(await enter(vmmHash), /approves 0x/)
      refused(
        await enter(other, '--valid-until', '2035-01-31'),
        /approves validity without end; expected validity until/,
      )
      const signed = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
      await writeFile(path, JSON.stringify({ ...signed, chainId: '1' }))
      refused(await enter(other), /signed for chain 1/)
      await writeFile(path, JSON.stringify({ ...signed, epoch: 2 }))
      refused(await enter(other), /epoch 2/)
      await writeFile(path, JSON.stringify({ ...signed, validUntil: '2053814400' }))
      const forged = await enter(other)
      assert.deepEqual(faultOf(forged), { exit: 1, code: 'REVERTED' })
      const { reason } = forged.json()['error'] as { reason: { name: string; args: object } }
      const { address: approver } = await chain.person('approver1')
      assert.deepEqual(reason, { name: 'ApprovalSignatureInvalid', args: { approver } })
      await writeFile(path, JSON.stringify({ ...signed, surplus: 1 }))
      assert.deepEqual(faultOf(await enter(other)), { exit: 2, code: 'FORMAT_INVALID' })
    })

    it('says in words why a VMM cannot be approved or revoked', async () => {
      const vmmHash = await predicted()
      const unknown = toHex(new Uint8Array(32).fill(0x11))
      assert.match((await as('approver1', 'vmm', 'approve', unknown)).stderr, /nobody has proposed this VMM/)
      assert.match((await as('approver1', 'vmm', 'revoke', unknown)).stderr, /nobody has proposed this VMM/)
      narrow(await as('approver1', 'vmm', 'revoke', vmmHash))
      assert.match((await as('approver1', 'vmm', 'revoke', vmmHash)).stderr, /this VMM is revoked/)
      const log = await as('approver1', 'vmm', 'approve', vmmHash, '--log', file('deployment.json'), '--json')
      assert.deepEqual(faultOf(log), { exit: 2, code: 'FILE_UNREADABLE' })
    })
  })

  describe('attestry grant', () => {
    const create = (...more: readonly string[]) => as('alice', 'grant', 'create', '--data', data, ...more)
    const delegate = (name: string, id: string, ...more: readonly string[]) =>
      as(name, 'grant', 'delegate', '--grant', id, ...more)
    const to = async (name: string) => ['--to', (await chain.person(name)).address]

    it('signs a grant that anybody may submit, once', async () => {
      const path = file('grant.json')
      const limits = ['--operation', 'decrypt', '--until', '2035-01-31', '--uses', '3', '--depth', '2']
      narrow(await create(...(await to('bob')), ...limits, '--sign-only', path))
      const submitted = narrow(await as('anybody', 'grant', 'submit', path))
      for (const said of [/operation +decrypt/, /until +2035-01-31/, /uses +3/, /depth +2/])
        assert.match(submitted, said)
      const [, id = ''] = /grant +(0x\S+)/.exec(submitted) ?? []
      assert.equal((await chain.ledger.grantOf(id as Hex)).grantor, (await chain.person('alice')).address)
      const again = await as('anybody', 'grant', 'submit', path, '--json')
      assert.deepEqual(faultOf(again), { exit: 1, code: 'REVERTED' })
      const signed = JSON.parse(await readFile(path, 'utf8')) as { grant: object }
      await writeFile(path, JSON.stringify({ ...signed, grant: { ...signed.grant, maxUses: '4' } }))
      assert.match((await as('anybody', 'grant', 'submit', path)).stderr, /the signature is not the grantor’s/)
      await writeFile(path, JSON.stringify({ ...signed, accessPolicy: chain.deployment.contracts.auditLog.address }))
      assert.deepEqual(faultOf(await as('anybody', 'grant', 'submit', path, '--json')), { exit: 2, code: 'USAGE' })
    })

    it('cancels a signed grant before it is submitted, and says what it cannot know', async () => {
      const path = file('cancelled.json')
      const { grantId } = done(await create(...(await to('bob')), '--sign-only', path, '--json'))
      const cancelled = narrow(await as('alice', 'grant', 'cancel', String(grantId)))
      assert.match(cancelled, /if there ever was one/)
      const late = await as('anybody', 'grant', 'submit', path, '--json')
      assert.match(late.stdout, /GrantIsCancelled/)
      assert.equal(late.code, 1)
    })

    it('refuses before sending what the contract would refuse', async () => {
      const bob = await to('bob')
      const { grantId } = done(await create(...bob, '--uses', '10', '--depth', '2', '--until', '2035-01-31', '--json'))
      const id = String(grantId)
      const sent = await chain.ledger.nonce((await chain.person('bob')).address)
      for (const [ended, message] of [
        [await create('--to', '0x12'), /--to 0x12: expected 0x and 40 hexadecimal digits/],
        [await create(...bob, '--uses', '0'), /from 1 to/],
        [await create(...bob, '--depth', '9'), /from 0 to 8/],
        [await create(...bob, '--assurance', '3'), /from 0 to 2/],
        [await create(...bob, '--until', '33'), /\+33d/],
        [await create(...bob, '--until', '2020-01-01'), /That is over: 2020-01-01/],
        [await create(...bob, '--until', '2099-02-30'), /Expected a time/],
        [await create(...bob, '--until', '-1d'), /That is over/],
        [await create(...bob, '--until', '+0s'), /That is over/],
        [
          await create(...bob, '--from', '2036-01-01', '--until', '2035-01-01'),
          /2036-01-01 is after --until 2035-01-01/,
        ],
        [await delegate('bob', `0x${'11'.repeat(32)}`, ...bob), /no such grant/],
        [await delegate('bob', id, ...bob, '--uses', '11'), /--uses 11: .* ends with 10/],
        [await delegate('bob', id, ...bob, '--until', '2036-01-01'), /ends with 2035-01-31/],
        [await delegate('bob', id, ...bob, '--depth', '2'), /allows 1 below/],
      ] as const) {
        assert.equal(ended.code, 2, ended.stdout + ended.stderr)
        assert.match(ended.stderr, message)
      }
      assert.equal(await chain.ledger.nonce((await chain.person('bob')).address), sent)
    })

    it('lists what each grant allows and what became of it', async () => {
      const bob = await to('bob')
      const limits = [
        '--operation',
        'encrypt',
        '--uses',
        '7',
        '--depth',
        '1',
        '--from',
        '2034-01-01',
        '--until',
        '2035-01-31',
      ]
      const { grantId } = done(await create(...bob, ...limits, '--json'))
      const child = done(await delegate('bob', String(grantId), ...(await to('carol')), '--json'))
      const listed = narrow(await attestry('grant', 'list', '--data', data, ...place()))
      const found = `${String(grantId)}  not yet\n(?:  .*\n)  encrypt, used 0 of 7 times, depth 1, from 2034-01-01, until 2035-01-31\n`
      assert.match(listed, new RegExp(found))
      const stranger = await as('carol', 'grant', 'revoke', String(grantId))
      assert.match(stranger.stderr, /only its grantor or the owner of the data revoke it/)
      assert.equal(stranger.code, 1)
      narrow(await as('alice', 'grant', 'revoke', String(grantId)))
      const { grants } = done(await attestry('grant', 'list', '--data', data, ...place('--json')))
      const states = new Map((grants as readonly { grantId: Hex; state: string }[]).map((g) => [g.grantId, g.state]))
      assert.equal(states.get(grantId as Hex), 'revoked')
      assert.equal(states.get(child['grantId'] as Hex), 'revoked above')
    })
  })

  it('attestry data show says who owns data and whom it is offered to', async () => {
    const { address: bob } = await chain.person('bob')
    const { address: alice } = await chain.person('alice')
    const before = done(await attestry('data', 'show', data, ...place('--json')))
    assert.deepEqual([before['owner'], before['candidate']], [alice, null])
    narrow(await as('alice', 'data', 'offer', data, '--to', bob))
    assert.match(narrow(await attestry('data', 'show', data, ...place())), new RegExp(`offered +to ${bob}`))
    const unknown = await attestry('data', 'show', ZERO_HASH, ...place('--json'))
    assert.deepEqual(faultOf(unknown), { exit: 2, code: 'USAGE' })
  })
})
