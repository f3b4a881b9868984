import assert from 'node:assert/strict'
import { startContractChain, type ContractChain } from '../../hil/contracts/chain.ts'
import { checkGranted } from '../../src/auditor/check-grant.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY } from '../../src/ledger/abi.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { grantId as idOf } from '../../src/record/grant.ts'
import { ZERO_HASH, dataId } from '../../src/record/hash.ts'
import { Draw } from './draw.ts'
import { drawGrant } from './grant-draw.ts'
import { auditCodeOf, grantVerdict, TAKEN, type GrantCall } from './grant-verdict.ts'
import { refusalOf } from './harness-calls.ts'

const SEED = Number(process.env.GRANT_SEED ?? 20261124)
const GRANTS = Number(process.env.GRANT_DRAWS ?? 500)

/** Every reason for which a grant may be refused (docs/contracts.md, "AccessPolicy"). */
const REASONS = [
  ...['SignatureInvalid', 'DataUnknown', 'GrantExists', 'GrantIsCancelled', 'GrantEmpty', 'DelegationTooDeep'],
  ...['NotGrantor', 'GrantUnknown', 'GrantIsRevoked', 'GrantIsExpired', 'DelegationWidens'],
]

for (const hardfork of ['osaka', 'berlin'] as const) {
  describe(`AccessPolicy.grant beside TypeScript on ${hardfork} (GRANT_SEED=${SEED} GRANT_DRAWS=${GRANTS})`, function () {
    this.timeout(300_000)
    this.retries(0)
    let chain: ContractChain
    let people: readonly Awaited<ReturnType<ContractChain['person']>>[]
    const history = new LedgerHistory()
    const cancelled = new Set<string>()
    const data: Hex[] = []

    before(async () => {
      chain = await startContractChain(hardfork)
      people = await Promise.all(['alice', 'bob', 'carol', 'dave'].map((name) => chain.person(name)))
      for (const owner of people.slice(0, 2)) {
        await send(owner.address, 'registerData', [ZERO_HASH])
        data.push(dataId(owner.address, ZERO_HASH))
      }
    })
    after(async () => chain.stop())

    it('takes and refuses the same grants, for the same reasons', async () => {
      const draw = new Draw(SEED)
      const domain = chain.ledger.domain('accessPolicy')
      const seen = new Map<string, number>()
      let entered: readonly GrantCall[] = []
      const withdrawn: GrantCall[] = []
      for (let i = 0; i < GRANTS; i++) {
        await disturb(draw, entered)
        const call = await drawCall(draw, [...entered, ...withdrawn])
        if (draw.chance(4) && !history.grants.has(call.grantId)) {
          const key = `${call.grantor}/${call.grantId}`
          if (!cancelled.has(key)) await send(call.grantor, 'cancel', [call.grantId])
          withdrawn.push(call)
        }
        const { timestamp } = await chain.ledger.latestBlock()
        const expected = grantVerdict(history, cancelled, call, timestamp)
        const [from, name, args] = callOf(call)
        const input = ACCESS_POLICY.encodeFunctionData(name, args) as Hex
        const { address } = chain.deployment.contracts.accessPolicy
        const found = wordsOf(await refusalOf(chain.rpc, { from, to: address, data: input }))
        assert.equal(found, expected, `the contract (found) beside TypeScript (expected): draw ${i}, ${from}, ${input}`)
        compareAuditor(call, expected)
        const reason = expected.replace(/\(.*/, '')
        const kind = expected === TAKEN && call.grant.parent !== ZERO_HASH ? 'taken, delegated' : reason
        seen.set(kind, (seen.get(kind) ?? 0) + 1)
        // A second later it may be over.
        if (expected === TAKEN && grantVerdict(history, cancelled, call, timestamp + 1n) === TAKEN && draw.chance(60)) {
          await send(from, name, args)
          assert.equal(history.grants.get(call.grantId)?.granted.args.grantor, call.grantor)
          entered = [...entered, call]
        }
      }
      console.log(`      ${[...seen].map(([reason, count]) => `${reason} ${count}`).join(', ')}`)
      const missing = [TAKEN, 'taken, delegated', ...REASONS].filter((reason) => !seen.has(reason))
      if (GRANTS >= 500) assert.deepEqual(missing, [], 'what no grant came to')

      /** By its grantor or by signature, which may be spoilt; sometimes one that is there already, or was cancelled. */
      async function drawCall(draw: Draw, known: readonly GrantCall[]): Promise<GrantCall> {
        if (known.length > 0 && draw.chance(8)) return draw.pick(known)
        const accounts = people.map(({ address }) => address)
        const owned = data.map((one) => ({ dataId: one, owner: history.ownerOf(one) ?? '0x' }))
        const { timestamp } = await chain.ledger.latestBlock()
        const { grant, grantor } = drawGrant(draw, { accounts, data: owned, timestamp, grants: entered })
        const grantId = idOf(domain, grant)
        if (draw.chance(60)) return { grantId, grant, grantor }
        const signer = draw.chance(90) ? personAt(grantor) : draw.pick(people)
        const signature = await signer.signDigest(fromHex(grantId))
        return { grantId, grant, grantor, signature: draw.chance(85) ? signature : spoilt(draw, signature) }
      }
    })

    /** Sometimes a grant is revoked, data changes hands, or time passes. */
    async function disturb(draw: Draw, entered: readonly GrantCall[]): Promise<void> {
      if (draw.chance(3)) await chain.pass(1 + draw.below(10))
      if (draw.chance(2)) {
        const moved = draw.pick(data)
        const to = draw.pick(people)
        await send(history.ownerOf(moved) ?? '0x', 'offerOwnership', [moved, to.address])
        await send(to.address, 'acceptOwnership', [moved])
      }
      const one = entered.length > 0 && draw.chance(4) ? draw.pick(entered) : undefined
      if (one !== undefined && history.grants.get(one.grantId)?.revoked === undefined) {
        await send(one.grantor, 'revoke', [one.grantId])
      }
    }

    /** The auditor, told by a ledger that it took the grant, finds the same against it. */
    function compareAuditor({ grantId, grant, grantor }: GrantCall, verdict: string): void {
      const told = {
        name: 'Granted',
        contract: 'accessPolicy',
        args: { grantId, dataId: grant.dataId, grantor, grant },
      }
      const expected = auditCodeOf(verdict)
      const faults = checkGranted(history, told as Parameters<typeof checkGranted>[1])
      if (expected === undefined) return
      const codes = faults.map(({ code }) => code)
      assert.ok(expected === 'none' ? codes.length === 0 : codes.includes(expected), `${verdict}: ${codes.join(', ')}`)
    }

    async function send(who: Hex, name: string, args: readonly unknown[]): Promise<void> {
      const { logs } = await chain.send(personAt(who), 'accessPolicy', name, args)
      for (const event of logs) apply(event)
    }

    function apply(event: LedgerEvent): void {
      assert.equal(history.apply(event), undefined)
      if (event.name === 'GrantCancelled') cancelled.add(`${event.args.grantor}/${event.args.grantId}`)
    }

    function personAt(address: Hex): (typeof people)[number] {
      const found = people.find((person) => person.address === address)
      assert.ok(found !== undefined, address)
      return found
    }

    function callOf({ grant, grantor, signature }: GrantCall): readonly [Hex, string, readonly unknown[]] {
      if (signature === undefined) return [grantor, 'grant', [grant]]
      return [people[3]?.address ?? '0x', 'grantBySignature', [grant, grantor, signature]]
    }
  })
}

/** An answer in the words of `grantVerdict`. */
function wordsOf(refused: Hex | undefined): string {
  if (refused === undefined) return TAKEN
  const error = ACCESS_POLICY.parseError(refused)
  return error === null ? `unknown error ${refused}` : `${error.name}(${error.args.join()})`.replace(/0x\w+/g, lower)
}

function lower(text: string): string {
  return text.toLowerCase()
}

/** A form in which a signature is worth nothing: a bit of it, its other s, its other v, its length. */
function spoilt(draw: Draw, signature: Hex): Hex {
  const bytes = fromHex(signature)
  const s = BigInt(toHex(bytes.slice(32, 64)))
  const v = bytes[64] ?? 0
  const highS = fromHex(`0x${(SECP256K1_ORDER - s).toString(16).padStart(64, '0')}`)
  return draw.pick<Hex>([
    toHex(bytes.map((byte, at) => (at === 7 ? byte ^ 1 : byte))),
    toHex(bytes.map((byte, at) => (at === 64 ? 55 - byte : byte))),
    toHex(bytes.map((byte, at) => (at >= 32 && at < 64 ? (highS[at - 32] ?? 0) : at === 64 ? 55 - v : byte))),
    toHex(bytes.map((byte, at) => (at === 64 ? v - 27 : byte))),
    toHex(bytes.slice(0, 64)),
    `${signature}00`,
    '0x',
  ])
}

const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
