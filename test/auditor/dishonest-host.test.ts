import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditCode } from '../../src/auditor/audit-code.ts'
import type { AuditReport } from '../../src/auditor/audit-report.ts'
import { auditLedger } from '../../src/auditor/verify.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY, HOST_REGISTRY, VMM_REGISTRY } from '../../src/ledger/abi.ts'
import { grantId, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { REASONS } from '../../src/record/reason.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { request } from '../contracts/harness-calls.ts'
import { hash } from './events.ts'
import { altered, remembered } from './lying.ts'
import { sign, startRig, type RecordParts, type Rig } from './rig.ts'

interface Case {
  readonly does: string
  /** Its records; those of all cases go into one batch. */
  readonly records?: (rig: Rig) => Promise<readonly RecordParts[]> | readonly RecordParts[]
  /** A batch of its own, behind that one. @returns its records */
  readonly act?: (rig: Rig) => Promise<readonly OperationRecord[]>
  /** What is found against its records, and its own batch, and nothing else. */
  readonly codes: readonly AuditCode[]
}

/** Blocks without a transaction, each in its own second. */
const mine = (rpc: string, blocks: number) => request(rpc, 'anvil_mine', [`0x${blocks.toString(16)}`])

const setStatus = (name: 'suspend' | 'reinstate', { hostId, local, send }: Rig) =>
  send(local.owner, 'hostRegistry', HOST_REGISTRY.encodeFunctionData(name, [hostId]))

const CASES: readonly Case[] = [
  {
    does: 'behaves',
    records: ({ bob }) => [
      {},
      { requester: bob.address, status: REASONS.GRANT_MISSING },
      { status: REASONS.DEVICE_FAILED },
    ],
    codes: [],
  },
  {
    does: 'does what the policy refuses',
    records: ({ bob }) => [{ requester: bob.address }],
    codes: ['ACCESS_NOT_ALLOWED'],
  },
  {
    does: 'goes by a revoked grant, and by one for another',
    records: async ({ alice, bob, grant, policy }) => {
      const id = await grant()
      await policy(alice, 'revoke', id)
      return [{ grantId: id, requester: bob.address }, { grantId: id }]
    },
    codes: ['ACCESS_NOT_ALLOWED', 'ACCESS_NOT_ALLOWED'],
  },
  {
    does: 'goes by a grant that is revoked after the block at which access was checked',
    records: async ({ alice, bob, grant, ledger, policy }) => {
      const id = await grant()
      const { number, timestamp } = await ledger.latestBlock()
      await policy(alice, 'revoke', id)
      return [{ grantId: id, requester: bob.address, policyBlock: number, timestamp }]
    },
    codes: [],
  },
  {
    does: 'uses a grant more often than it may, and rightly denies one more use',
    records: async ({ bob, grant }) => {
      const parts = { grantId: await grant({ maxUses: 1n }), requester: bob.address }
      return [parts, { ...parts, status: REASONS.GRANT_EXHAUSTED }, parts]
    },
    codes: ['GRANT_OVERUSED'],
  },
  {
    does: 'runs another VMM than any that is authorised, and than it quotes',
    records: () => [{ vmmHash: hash(0xee) }],
    codes: ['VMM_NOT_AUTHORISED', 'VMM_UNPROVEN'],
  },
  {
    does: 'rightly denies under such a VMM',
    records: () => [{ vmmHash: hash(0xee), status: REASONS.VMM_NOT_AUTHORISED }],
    codes: [],
  },
  {
    does: 'denies without a reason, and for a wrong one',
    records: ({ bob }) => [
      { status: REASONS.GRANT_MISSING },
      { requester: bob.address, status: REASONS.GRANT_EXPIRED },
    ],
    codes: ['DENIAL_UNFOUNDED', 'DENIAL_UNFOUNDED'],
  },
  {
    does: 'fails at what it should not have begun',
    records: ({ bob }) => [{ requester: bob.address, status: REASONS.OPERATION_FAILED }],
    codes: ['ACCESS_NOT_ALLOWED'],
  },
  {
    does: 'commits records that are not well-formed',
    records: () => [{ status: 99 }, { resultHash: ZERO_HASH }, { status: REASONS.DEVICE_FAILED, resultHash: hash(7) }],
    codes: ['STATUS_UNKNOWN', 'RESULT_HASH_WRONG', 'RESULT_HASH_WRONG'],
  },
  {
    does: 'checks access at a block that is not there yet',
    records: () => [{ policyBlock: 1_000_000n }],
    codes: ['POLICY_BLOCK_FUTURE'],
  },
  {
    does: 'writes times that are far from the block’s, and one that is a little off',
    records: async ({ ledger }) => {
      const { timestamp } = await ledger.latestBlock()
      return [{ timestamp: timestamp - 4000n }, { timestamp: timestamp + 700n }]
    },
    codes: ['POLICY_BLOCK_STALE', 'TIMESTAMP_FAR', 'POLICY_BLOCK_STALE'],
  },
  {
    does: 'puts an interrupted operation on record much later',
    records: async ({ ledger }) => {
      const { timestamp } = await ledger.latestBlock()
      return [{ status: REASONS.INTERRUPTED, timestamp: timestamp + 5000n }]
    },
    codes: [],
  },
  {
    does: 'puts one request on record twice',
    records: () => {
      const requestHash = toHex(randomBytes(32))
      return [{ requestHash }, {}, { requestHash }]
    },
    codes: ['REQUEST_REPEATED'],
  },
  {
    does: 'commits an old counter',
    act: ({ commit }) => commit([{}], { nvCounter: 1n }),
    codes: ['NV_NOT_FORWARD'],
  },
  {
    does: 'quotes a PCR that anybody can reset',
    act: ({ bob, commit }) => {
      const denied = { requester: bob.address, status: REASONS.GRANT_MISSING }
      return commit([denied], {}, { bank: 'sha256', pcrs: [16] })
    },
    codes: ['PCR_SELECTION_UNFIT'],
  },
  {
    does: 'goes by a grant that was revoked long ago, as of a block before that',
    act: async ({ alice, bob, commit, grant, ledger, local, policy }) => {
      const id = await grant()
      const { number } = await ledger.latestBlock()
      await policy(alice, 'revoke', id)
      await mine(local.rpc, 300)
      const records = await commit([
        { grantId: id, requester: bob.address, policyBlock: number },
        // Denied is no use, and what failed may come onto the ledger late.
        { status: REASONS.DEVICE_FAILED, policyBlock: number },
      ])
      assert.equal((await ledger.grantOf(id)).uses, 0n)
      return records
    },
    codes: ['POLICY_BLOCK_STALE'],
  },
  {
    does: 'names the authorised VMM while it quotes one that nobody knows',
    act: async ({ bob, commit, grant, ledger }) => {
      const id = await grant()
      const records = await commit([{ grantId: id, requester: bob.address }], {}, { bank: 'sha256', pcrs: [12, 13] })
      assert.equal((await ledger.grantOf(id)).uses, 0n)
      return records
    },
    codes: ['VMM_UNPROVEN'],
  },
  {
    does: 'goes on while it is suspended, and rightly denies then',
    act: async (rig) => {
      await setStatus('suspend', rig)
      const records = await rig.commit([{}, { status: REASONS.HOST_NOT_ACTIVE }])
      await setStatus('reinstate', rig)
      return records
    },
    codes: ['HOST_NOT_ACTIVE'],
  },
  {
    does: 'goes on under a revoked VMM',
    act: async ({ commit, local, send, vmmHash }) => {
      await send(local.owner, 'vmmRegistry', VMM_REGISTRY.encodeFunctionData('revoke', [vmmHash]))
      return commit([{}])
    },
    codes: ['VMM_NOT_AUTHORISED'],
  },
  {
    does: 'rightly goes on under a changed VMM that is authorised',
    act: async ({ authoriseVmm, commit, vmmDir }) => {
      await appendFile(join(vmmDir, 'qemu'), ' changed')
      return commit([{ vmmHash: await authoriseVmm() }, { status: REASONS.VMM_NOT_AUTHORISED }])
    },
    codes: [],
  },
]

/** A host that commits authentic evidence of what it should not have done. The ledger takes it; the audit finds it. */
describe('auditLedger on a host that misbehaves', function () {
  this.timeout(120_000)
  let rig: Rig
  let report: AuditReport
  const committed = new Map<Case, readonly OperationRecord[]>()

  before(async () => {
    rig = await startRig()
    const parts = new Map<Case, readonly RecordParts[]>()
    for (const one of CASES) if (one.records !== undefined) parts.set(one, await one.records(rig))
    const records = await rig.commit([...parts.values()].flat())
    let at = 0
    for (const [one, { length }] of parts) committed.set(one, records.slice(at, (at += length)))
    for (const one of CASES) if (one.act !== undefined) committed.set(one, await one.act(rig))
    report = await auditLedger({ ledger: rig.ledger, trustAnchors: rig.trustAnchors })
  })
  after(() => rig.stop())

  for (const one of CASES) {
    const found = one.codes.length === 0 ? 'nothing' : one.codes.join(', ')
    it(`finds ${found} where it ${one.does}`, () => {
      const records = committed.get(one) ?? []
      const subjects = records.map(({ hostId, seq }) => `record ${hostId}/${seq}`)
      const about = [...subjects, `batch ${rig.hostId}/${records[0]?.seq ?? ''}`]
      const findings = report.findings.filter(({ subject }) => about.includes(subject))
      assert.deepEqual(
        findings.map(({ code }) => code),
        one.codes,
      )
      assert.ok(records.length > 0)
    })
  }

  it('finds nothing else, and counts as verified what nothing speaks against', () => {
    const { findings, ok, operations, verified } = report
    const tainted = new Set(findings.map(({ subject }) => subject))
    assert.ok([...tainted].every((subject) => /^(?:record|batch) /.test(subject)))
    assert.equal(ok, false)
    // The two batches with a finding have one record each.
    assert.equal(verified, operations - tainted.size)
  })

  it('finds a TPM’s clock that stood still', async () => {
    const { ledger, trustAnchors } = rig
    // The last batch once more, as its own successor: no ledger takes that, but no other TPM gives the same clock twice.
    const repeated = altered(ledger, {
      logs: async (contract, from, to) => {
        const events = await ledger.logs(contract, from, to)
        const last = contract === 'auditLog' ? events.slice(-1) : []
        return [...events, ...last.map((event) => ({ ...event, logIndex: event.logIndex + 1 }))]
      },
    })
    const { findings } = await auditLedger({ ledger: repeated, trustAnchors })
    assert.ok(findings.some(({ code }) => code === 'CLOCK_NOT_FORWARD'))
  })

  it('takes a longer way to the policy where the auditor allows it', async () => {
    const { ledger, trustAnchors } = rig
    const longer = await auditLedger({ ledger, trustAnchors, maxPolicyAgeS: 5000 })
    const stale = longer.findings.filter(({ code }) => code === 'POLICY_BLOCK_STALE')
    // What is too old for the ledger is too old for any auditor.
    assert.equal(stale.length, 1)
    assert.match(stale[0]?.detail ?? '', /^checked at block \d+, anchored at \d+$/)
  })

  it('takes grants by signature, delegations and revocations as they are', async () => {
    const { alice, bob, data, ledger, local, policy, trustAnchors, vmmHash } = rig
    const carol = await local.signer('carol')
    const parent = await rig.grant({ delegationDepth: 1 })
    const delegation = { parent, delegationDepth: 0, grantee: carol.address, salt: hash(5) }
    const grant: Grant = { ...(await ledger.grantOf(parent)).grant, ...delegation }
    const id = grantId(ledger.domain('accessPolicy'), grant)
    await policy(carol, 'grantBySignature', grant, bob.address, await sign(bob, id))
    await policy(alice, 'revoke', id)
    const { findings } = await auditLedger({ ledger, trustAnchors })
    const about = [`grant ${parent}`, `grant ${id}`, `data ${data}`, `vmm ${vmmHash}`, 'ledger']
    assert.ok(!findings.some(({ subject }) => about.includes(subject)))
  })

  it('finds a signature that is not the grantor’s, unless a contract said that it is its own', async () => {
    const { alice, bob, ledger, policy, trustAnchors } = rig
    const grant: Grant = { ...(await ledger.grantOf(await rig.grant())).grant, salt: hash(6) }
    const id = grantId(ledger.domain('accessPolicy'), grant)
    const signature = await sign(alice, id)
    await policy(bob, 'grantBySignature', grant, alice.address, signature)
    const truth = remembered(ledger)
    const forged = ACCESS_POLICY.encodeFunctionData('grantBySignature', [
      grant,
      alice.address,
      await sign(bob, id),
    ]) as Hex
    const codesWith = async (code: Hex): Promise<readonly AuditCode[]> => {
      const lying = altered(truth, {
        code: () => Promise.resolve(code),
        transaction: async (transactionHash) => {
          const transaction = await truth.transaction(transactionHash)
          return transaction?.input.includes(signature.slice(2)) === true
            ? { ...transaction, input: forged }
            : transaction
        },
      })
      const { findings } = await auditLedger({ ledger: lying, trustAnchors })
      return findings.filter(({ subject }) => subject === `grant ${id}`).map((finding) => finding.code)
    }
    assert.deepEqual(await codesWith('0x'), ['GRANT_SIGNATURE_INVALID'])
    assert.deepEqual(await codesWith('0x6000'), [])
  })
})
