import assert from 'node:assert/strict'
import { AbiCoder } from 'ethers'
import type { OpenHost, RecordParts } from '../../hil/contracts/host.ts'
import { playScene, type Scene } from '../../hil/contracts/scene.ts'
import type { AuditCode } from '../../src/auditor/audit-code.ts'
import { auditLedger } from '../../src/auditor/verify.ts'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { INTERFACES } from '../../src/ledger/abi.ts'
import { decodeCommit, encodeAnchor, encodeCommit } from '../../src/ledger/commit.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'
import type { BatchHeader } from '../../src/record/batch.ts'
import { grantId, type Grant } from '../../src/record/grant.ts'
import { ZERO_ADDRESS, ZERO_HASH, keccak256 } from '../../src/record/hash.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { verdictsOf } from '../../src/record/verdict.ts'
import { altered } from '../auditor/lying.ts'
import { Draw } from './draw.ts'
import { FraudDifferential } from './fraud-differential.ts'
import type { Logged } from './fraud-draw.ts'
import { request } from './harness-calls.ts'

const SEED = Number(process.env.RECORD_SEED ?? 20261124)
const BATCHES = Number(process.env.RECORD_BATCHES ?? 40)
const PROOFS = Number(process.env.RECORD_PROOFS ?? 300)
const [MAX_U48, MAX_U64] = [2n ** 48n - 1n, 2n ** 64n - 1n]

/** What an audit of a scene finds that is true: its hosts have no certificates, and one was made to contradict itself. */
const TRUE_FINDINGS: readonly AuditCode[] = [
  'EK_CERTIFICATE_INVALID',
  'ASSURANCE_OVERSTATED',
  'FRAUD_PROVEN',
  'REQUEST_REPEATED',
]

/** What it may find beside that where records are drawn at random: what hosts do, and nothing that the ledger does. */
const MISDEEDS: readonly AuditCode[] = [
  ...(['CLOCK_NOT_FORWARD', 'NV_NOT_FORWARD', 'STATUS_UNKNOWN', 'RESULT_HASH_WRONG', 'VMM_NOT_AUTHORISED'] as const),
  ...(['VMM_UNPROVEN', 'HOST_NOT_ACTIVE', 'ACCESS_NOT_ALLOWED', 'GRANT_OVERUSED', 'DENIAL_UNFOUNDED'] as const),
  ...(['POLICY_BLOCK_FUTURE', 'POLICY_BLOCK_STALE', 'TIMESTAMP_FAR', 'PCR_SELECTION_UNFIT'] as const),
]

/** What the contract must have answered at least once, or the draws prove little. */
const ANSWERS: readonly string[] = [
  ...['taken', 'ReceiptSignatureInvalid', 'DeadlineAhead', 'NothingOmitted'].map((one) => `proveOmission: ${one}`),
  ...['taken', 'ReceiptSignatureInvalid', 'OtherHost', 'SeqOutside', 'LeafNotInGroup', 'NoContradiction'].map(
    (one) => `proveEquivocation: ${one}`,
  ),
  ...['taken', 'ReceiptSignatureInvalid', 'OtherHost', 'SeqOutside', 'LeafNotInGroup', 'LeafNotInBatch'].map(
    (one) => `proveContradiction: ${one}`,
  ),
  ...['BatchNotInLog', 'NoContradiction'].map((one) => `proveContradiction: ${one}`),
]

for (const hardfork of ['osaka', 'berlin'] as const) {
  describe(`the contracts on ${hardfork} (RECORD_SEED=${SEED} RECORD_BATCHES=${BATCHES})`, function () {
    this.timeout(300_000)
    this.retries(0)
    let scene: Scene
    const drawn: Logged[] = []

    before(async () => {
      scene = await playScene(hardfork)
    })
    after(async () => scene.chain.stop())

    it('lets every function be called, and says all that it does', () => {
      const called = new Set(scene.acts.map(({ contract, name }) => `${contract}.${name}`))
      const seen = new Set(scene.acts.flatMap(({ mined }) => mined.logs.map(({ name }) => name)))
      for (const contract of CONTRACT_NAMES) {
        INTERFACES[contract].forEachFunction(({ name, constant }) => {
          // Called by the AuditLog alone; GrantUsed below is its event.
          if (constant || name === 'consume') return
          assert.ok(called.has(`${contract}.${name}`), `${contract}.${name} is not called`)
        })
        // The first registrars and approvers are announced by the constructors too.
        INTERFACES[contract].forEachEvent(({ name }) => {
          assert.ok(seen.has(name as never), `${name} of ${contract} is not seen`)
        })
      }
    })

    it('takes the largest transaction of its profile, and no record more', async () => {
      const { chain, host, largestBatch, acts } = scene
      const { maxTransactionBytes } = chain.deployment.profile
      assert.ok(acts.some(({ variant }) => variant.startsWith('as many records as fit')))
      const records = await host.records(Array.from({ length: largestBatch }, () => partsOf(scene)))
      const { header, quote } = await host.batch(records)
      const bytes = (list: readonly OperationRecord[]): number => encodeCommit(header, list, quote).length / 2 - 1
      assert.ok(bytes(records) <= maxTransactionBytes && bytes(records) > maxTransactionBytes - 1024)
      const one = bytes(records) - bytes(records.slice(1))
      const rest = maxTransactionBytes - bytes(records)
      assert.ok(rest < one + 4 * 192 + 300, `${rest} bytes are left, a record takes ${one}`)
    })

    if (hardfork === 'berlin') {
      it('asks for no funds, no transaction type and no precompile', async () => {
        const { chain, host } = scene
        for (const address of [host.speaker.address, scene.owner.address]) {
          assert.equal(BigInt(await request(chain.rpc, 'eth_getBalance', [address, 'latest'])), 0n)
        }
        const { blockNumber } = scene.acts.at(-1)?.mined ?? { blockNumber: 0n }
        const answer: unknown = await request(chain.rpc, 'eth_getBlockByNumber', [toQuantity(blockNumber), true])
        const { transactions, baseFeePerGas } = answer as {
          transactions: { type: Hex; gasPrice: Hex }[]
          baseFeePerGas?: Hex
        }
        assert.deepEqual(
          transactions.map(({ type, gasPrice }) => [BigInt(type), BigInt(gasPrice)]),
          [[0n, 0n]],
        )
        assert.equal(baseFeePerGas, undefined)
        const probe = { to: '0x0000000000000000000000000000000000000100', data: '0x' + '00'.repeat(160) }
        assert.equal(await request(chain.rpc, 'eth_call', [probe, 'latest']), '0x')
      })
    }

    it('agrees with an audit on all that it took', async () => {
      const report = await audit(scene)
      const found = new Set(report.findings.map(({ code }) => code))
      assert.deepEqual([...found].sort(), TRUE_FINDINGS.filter((code) => found.has(code)).sort(), wordsOf(report))
      assert.ok(found.has('FRAUD_PROVEN'))
      assert.ok(!found.has('FRAUD_UNFOUNDED'))
    })

    it('keeps clocks up to what a slot holds, and takes those beyond as the highest', async () => {
      const { chain, host } = scene
      host.restartCount++
      const verdicts: number[] = []
      for (const clock of [MAX_U48 - 1n, MAX_U48, MAX_U48 + 1n, MAX_U48 + 2n, MAX_U64]) {
        // A quote shows 100 more.
        host.clockMs = clock - 100n
        const records = await host.records([partsOf(scene)])
        const { header, quote } = await host.batch(records)
        const { address } = chain.deployment.contracts.auditLog
        const { logs } = await chain.sendRaw(host.speaker, address, encodeCommit(header, records, quote))
        const committed = logs.find(({ name }) => name === 'BatchCommitted')
        assert.ok(committed?.name === 'BatchCommitted')
        verdicts.push(...fromHex(committed.args.verdicts))
      }
      assert.deepEqual(
        verdicts.map((verdict) => verdictsOf(verdict).includes('CLOCK_NOT_FORWARD')),
        [false, false, true, true, true],
      )
      assert.equal((await chain.ledger.clock(host.hostId)).clockMs, MAX_U48)
      host.restartCount++
      host.clockMs = 5000n
    })

    it('agrees with an audit on batches of any records, and on those clocks', async () => {
      const draw = new Draw(SEED)
      const { chain, delegated, host } = scene
      // So far that the block as of which most records were checked becomes too old after some of the batches.
      const { number } = await chain.ledger.latestBlock()
      await chain.pass(Number(delegated.asOf + 236n - number))
      for (let i = 0; i < BATCHES; i++) {
        upset(draw, host)
        const parts = Array.from({ length: 1 + draw.below(9) }, () => drawParts(draw, scene))
        const records = await host.records(parts)
        const { header, quote } = await host.batch(records)
        const isAnchored = draw.chance(20)
        const { address } = chain.deployment.contracts.auditLog
        const data = isAnchored ? encodeAnchor(header, quote) : encodeCommit(header, records, quote)
        await chain.sendRaw(host.speaker, address, data)
        drawn.push({ header, records })
      }
      const report = await audit(scene)
      const found = new Set(report.findings.map(({ code }) => code))
      const unexpected = [...found].filter((code) => ![...TRUE_FINDINGS, ...MISDEEDS].includes(code))
      assert.deepEqual(unexpected, [], wordsOf(report))
      const misdeeds = MISDEEDS.filter((code) => found.has(code))
      assert.ok(
        misdeeds.length >= 8,
        `the draw must come to most misdeeds, or it proves little: ${misdeeds.join(', ')}`,
      )
    })

    describe('a receipt or a proof of fraud', () => {
      let differential: FraudDifferential

      before(async () => {
        const { host, chain } = scene
        const ahead = await host.records(Array.from({ length: 5 }, () => partsOf(scene)))
        differential = await FraudDifferential.open(scene, drawn, ahead)
        assert.equal((await headersOf(scene)).length, await chain.ledger.batches(host.hostId))
      })

      it('is found to be the same as the auditor finds it, for the same reason', async () => {
        await differential.compareProofs(new Draw(SEED + 1), PROOFS)
        await differential.compareReceipts(new Draw(SEED + 3), PROOFS)
        const { counts } = differential
        console.log(`        ${[...counts].map(([answer, count]) => `${answer} ${count}`).join('\n        ')}`)
        const missing = ANSWERS.filter((answer) => !counts.has(answer))
        if (PROOFS >= 300) assert.deepEqual(missing, [], 'what no draw came to')
      })
    })

    it('gives grants the ids that are given here', async () => {
      const draw = new Draw(SEED + 2)
      const { ledger } = scene.chain
      for (let i = 0; i < 200; i++) {
        const grant = drawGrant(draw)
        const data = INTERFACES.accessPolicy.encodeFunctionData('grantId', [grant]) as Hex
        assert.equal(await ledger.call('accessPolicy', data), grantId(ledger.domain('accessPolicy'), grant))
      }
    })

    it('gives a light client what it proves, in the slots that are documented', async () => {
      const { chain, host } = scene
      const { ledger } = chain
      const batches = await ledger.batches(host.hostId)
      const clock = await ledger.clock(host.hostId)
      const [resets, restarts] = [BigInt(clock.resetCount), BigInt(clock.restartCount)]
      const position = [
        await ledger.nextSeq(host.hostId),
        BigInt(batches) << 48n,
        clock.nvCounter << 80n,
        resets << 144n,
        restarts << 176n,
        clock.clockMs << 208n,
      ].reduce((sum, part) => sum | part)
      const peaks = slot(host.hostId, 4n)
      const fraud = await ledger.fraudOf(host.hostId)
      const expected = new Map<Hex, bigint>([
        [slot(host.hostId, 2n), BigInt(await ledger.head(host.hostId))],
        [slot(host.hostId, 3n), position],
        [slot(host.hostId, 5n), BigInt(fraud)],
        [slot(fraud, 6n), 1n],
      ])
      for (let height = 0; 2 ** height <= batches; height++) {
        expected.set(slot(toWord(BigInt(height)), BigInt(peaks)), BigInt(await ledger.peak(host.hostId, height)))
      }
      const { address } = chain.deployment.contracts.auditLog
      const answer: unknown = await request(chain.rpc, 'eth_getProof', [address, [...expected.keys()], 'latest'])
      const { storageProof } = answer as { storageProof: { key: Hex; value: Hex }[] }
      assert.equal(storageProof.length, expected.size)
      for (const { key, value } of storageProof) assert.equal(BigInt(value), expected.get(toWord(BigInt(key))), key)
    })
  })
}

async function audit({ chain: { ledger } }: Scene) {
  // The node forgets how things stood more than 128 blocks ago; a contract's code is what it was.
  const present = altered(ledger, { code: (address) => ledger.code(address) })
  return auditLedger({ ledger: present, trustAnchors: [] })
}

function wordsOf(report: Awaited<ReturnType<typeof audit>>): string {
  return report.findings
    .map((finding) => JSON.stringify(finding, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)))
    .join('\n')
}

/** Every header of the scene's host, as its transactions have them. */
async function headersOf({ chain, host }: Scene): Promise<readonly BatchHeader[]> {
  const { ledger } = chain
  const { number } = await ledger.latestBlock()
  const headers: BatchHeader[] = []
  for (const event of await ledger.logs('auditLog', 0n, number)) {
    if (event.name !== 'BatchCommitted' || event.args.hostId !== host.hostId) continue
    const sent = await ledger.transaction(event.transactionHash)
    headers.push(decodeCommit(sent?.input ?? '0x').header)
  }
  return headers
}

/** Sometimes the TPM's clock falls back, or it shows another VMM. */
function upset(draw: Draw, host: OpenHost): void {
  if (draw.chance(15)) host.clockMs -= 1000n
  if (draw.chance(10)) [host.restartCount, host.clockMs] = [host.restartCount + 1, 5000n]
  host.pcrDigest = new Uint8Array(32).fill(draw.chance(80) ? 0xa5 : 0x5a)
}

/** A record that nothing speaks against. */
function partsOf({ owner, data, vmmHash, delegated }: Scene): RecordParts {
  const hash = keccak256(new Uint8Array(1))
  const { operationId, asOf: policyBlock, timestamp } = delegated
  const rest = { requestHash: hash, dataHash: hash, resultHash: hash, status: 0, timestamp, policyBlock, operationId }
  return { requester: owner.address, dataId: data, grantId: ZERO_HASH, vmmHash, ...rest }
}

/** Anything that a host can put on record, mostly near to what is allowed. */
function drawParts(draw: Draw, scene: Scene): RecordParts {
  const good = partsOf(scene)
  const { delegated, chainOfGrants, host } = scene
  const byGrant = draw.chance(50) ? { grantId: delegated.grantId, requester: delegated.requester } : {}
  const hash = (): Hex => toHex(draw.bytes(32))
  const odd: Partial<RecordParts> = draw.pick<Partial<RecordParts>>([
    {},
    {},
    { status: draw.below(65_536) },
    { status: draw.below(20) },
    { timestamp: good.timestamp + BigInt(draw.below(8000)) - 4000n },
    { timestamp: draw.chance(50) ? MAX_U64 : 0n },
    { policyBlock: draw.chance(50) ? MAX_U64 : BigInt(draw.below(60)) },
    { vmmHash: draw.chance(50) ? hash() : host.vmmHash },
    { dataId: hash() },
    { grantId: draw.pick([...chainOfGrants, hash()]) },
    { requester: toHex(draw.bytes(20)) },
    { resultHash: ZERO_HASH },
  ])
  return { ...good, requestHash: hash(), dataHash: hash(), resultHash: hash(), ...byGrant, ...odd }
}

function drawGrant(draw: Draw): Grant {
  const word = (): Hex => toHex(draw.bytes(32))
  const u64 = (): bigint => (draw.chance(20) ? MAX_U64 : BigInt(toHex(draw.bytes(8))))
  return {
    dataId: word(),
    grantee: draw.chance(10) ? ZERO_ADDRESS : toHex(draw.bytes(20)),
    operationId: draw.chance(50) ? ZERO_HASH : word(),
    notBefore: u64(),
    notAfter: u64(),
    maxUses: u64(),
    vmmHash: draw.chance(50) ? ZERO_HASH : word(),
    hostId: draw.chance(50) ? ZERO_HASH : word(),
    minAssurance: draw.below(256),
    delegationDepth: draw.below(256),
    parent: draw.chance(50) ? ZERO_HASH : word(),
    salt: word(),
  }
}

/** docs/formats.md, "Storage". */
function slot(key: Hex, mapping: bigint): Hex {
  return keccak256(fromHex(AbiCoder.defaultAbiCoder().encode(['bytes32', 'uint256'], [key, mapping])))
}

function toWord(value: bigint): Hex {
  return `0x${value.toString(16).padStart(64, '0')}`
}

function toQuantity(value: bigint): Hex {
  return `0x${value.toString(16)}`
}
