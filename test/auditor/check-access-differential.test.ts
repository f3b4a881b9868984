import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import * as fc from 'fast-check'
import { checkAccess } from '../../src/auditor/check-access.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { ACCESS_POLICY, HOST_REGISTRY, VMM_REGISTRY } from '../../src/ledger/abi.ts'
import { approveVmm } from '../../src/ledger/approve.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'
import type { AccessRequest } from '../../src/ledger/state.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { UNLIMITED, grantId as idOf, type Grant } from '../../src/record/grant.ts'
import { ZERO_HASH, operationId } from '../../src/record/hash.ts'
import { reasonOf } from '../../src/record/reason.ts'
import { hash } from './events.ts'
import { startRig, type Rig } from './rig.ts'

const OPERATIONS = [operationId('encrypt'), operationId('decrypt')] as const
/** Grants begin and end, and requests are made, within the same few seconds; far ahead, so that all can still be delegated. */
const SOON = 2n ** 40n
const TIMES = [SOON, SOON + 1n, SOON + 2n, SOON + 3n] as const
/** Where the shared ledger's grants are drawn from: the same ones in every run. */
const GRANTS_SEED = 20260101
/** Where the requests are: others in every run, and the same again as told. */
const SEED = Number(process.env.ACCESS_SEED ?? randomInt(2 ** 31))

interface Drawn {
  readonly parent: number
  readonly isBob: boolean
  readonly limits: Partial<Grant>
}

for (const hardfork of ['osaka', 'berlin'] as const) {
  describe(`checkAccess beside AccessPolicy.checkAccess on ${hardfork} (ACCESS_SEED=${SEED})`, function () {
    this.timeout(120_000)
    // A difference that another draw does not show is one all the same.
    this.retries(0)
    let rig: Rig
    let carol: DigestSigner
    let history: LedgerHistory
    let latest: bigint
    /** All is granted, revoked and used by then, and the host and its VMM are still good. */
    let settled: bigint
    const grants: { readonly grantId: Hex; readonly grant: Grant }[] = []

    before(async () => {
      rig = await startRig(hardfork)
      carol = await rig.local.signer('carol')
      await makeGrants()
      await change()
      latest = (await rig.ledger.latestBlock()).number
      history = await readHistory()
    })
    after(() => rig.stop())

    it('answers the same for any request, as the contract judges a batch: with the uses counted by now', async () => {
      const seen = new Set<number>()
      await fc.assert(
        fc.asyncProperty(requests(), async (request) => {
          const data = ACCESS_POLICY.encodeFunctionData('checkAccess', [request]) as Hex
          const answer = Number(await rig.ledger.call('accessPolicy', data, latest))
          assert.equal(
            checkAccess(history, request, (grantId) => history.usesOf(grantId)),
            answer,
          )
          seen.add(answer)
        }),
        { numRuns: 500, seed: SEED },
      )
      const names = [...seen].map(reasonOf)
      assert.ok(seen.size >= 11, `the draw must come to most of the reasons, or it proves little: ${names.join(', ')}`)
    })

    it('answers the same as the contract did at that block, with the uses counted by then', async () => {
      await fc.assert(
        fc.asyncProperty(requests(), async (request) => {
          if (request.asOf < rig.ledger.deployment.block + 4n) return
          const found = checkAccess(history, request, (grantId) => history.usesAt(grantId, request.asOf))
          assert.equal(found, await rig.ledger.checkAccess(request))
        }),
        { numRuns: 200, seed: SEED },
      )
    })

    /** Mostly by the grantee, for the right data, under the right VMM: otherwise nothing deeper is ever come to. */
    function requests(): fc.Arbitrary<AccessRequest> {
      const { alice, hostId, vmmHash, data } = rig
      const named = fc.constantFrom(...grants.map(({ grantId, grant }) => ({ grantId, requester: grant.grantee })))
      const other = fc.record({
        grantId: fc.constantFrom(ZERO_HASH, hash(0xee), grants[0]?.grantId ?? ZERO_HASH),
        requester: fc.constantFrom(alice.address, carol.address),
      })
      return fc
        .record({
          asked: fc.oneof({ arbitrary: named, weight: 8 }, other),
          dataId: often(data, hash(0xee)),
          operationId: fc.constantFrom(...OPERATIONS),
          hostId: often(hostId, hash(0xee)),
          vmmHash: often(vmmHash, hash(0xee)),
          timestamp: fc.constantFrom(...TIMES),
          asOf: fc.oneof(fc.constant(settled), fc.bigInt(rig.ledger.deployment.block, latest)),
        })
        .map(({ asked, ...rest }) => ({ ...asked, ...rest }))
    }

    /** Chains up to three long, from the owner to Bob or Carol, and from there to the other one. */
    async function makeGrants(): Promise<void> {
      const { alice, bob, data, ledger, policyAtOnce } = rig
      const drawn = fc.sample(draws(), { numRuns: 30, seed: GRANTS_SEED })
      for (let wave = 0; wave < 3; wave++) {
        const parents = grants.filter(({ grant }) => grant.delegationDepth > 0)
        const calls = drawn.slice(10 * wave, 10 * wave + 10).map(({ parent, isBob, limits }, i) => {
          const own = { salt: hash(10 * wave + i + 1) }
          const above = wave === 0 ? undefined : parents[parent % parents.length]
          if (above === undefined) {
            const grant = { ...ROOT, dataId: data, grantee: (isBob ? bob : carol).address, ...limits, ...own }
            return { who: alice, grant }
          }
          const [who, grantee] = above.grant.grantee === bob.address ? [bob, carol] : [carol, bob]
          const child = { ...own, grantee: grantee.address, parent: above.grantId }
          return { who, grant: narrowed(above.grant, limits, child) }
        })
        await policyAtOnce(calls.map(({ who, grant }) => ({ who, name: 'grant', args: [grant] })))
        const domain = ledger.domain('accessPolicy')
        grants.push(...calls.map(({ grant }) => ({ grant, grantId: idOf(domain, grant) })))
      }
    }

    /** Uses, revocations, a suspension, a VMM that is revoked and comes back for a while, and a new owner, so that the block matters. */
    async function change(): Promise<void> {
      const { alice, commit, hostId, local, policyAtOnce, send, vmmHash } = rig
      const uses = grants.map(({ grantId, grant }) => ({ grantId, requester: grant.grantee, timestamp: SOON + 1n }))
      await commit(uses.slice(0, 10))
      const revoked = [grants[0], grants[3], grants[12]]
      await policyAtOnce(revoked.map((one) => ({ who: alice, name: 'revoke', args: [one?.grantId] })))
      await send(local.owner, 'hostRegistry', HOST_REGISTRY.encodeFunctionData('suspend', [hostId]))
      await commit(uses)
      await send(local.owner, 'hostRegistry', HOST_REGISTRY.encodeFunctionData('reinstate', [hostId]))
      await commit(uses.slice(10))
      settled = (await rig.ledger.latestBlock()).number
      await send(local.owner, 'vmmRegistry', VMM_REGISTRY.encodeFunctionData('revoke', [vmmHash]))
      // It comes back by a prediction, with an end that some of the requests are past.
      const proposals = await rig.ledger.logs('vmmRegistry', rig.ledger.deployment.block, settled)
      const attested = proposals.flatMap((event) => (event.name === 'VmmProposed' ? [event.args.attested] : []))[0]
      const predict = VMM_REGISTRY.encodeFunctionData('predict', [attested, hash(0x77)])
      await send(local.owner, 'vmmRegistry', predict)
      await approveVmm(rig.ledger, local.owner, vmmHash, SOON + 1n)
      await rig.policy(alice, 'offerOwnership', rig.data, carol.address)
      await rig.policy(carol, 'acceptOwnership', rig.data)
    }

    async function readHistory(): Promise<LedgerHistory> {
      const replayed = new LedgerHistory()
      for (const contract of CONTRACT_NAMES) {
        for (const event of await rig.ledger.logs(contract, rig.ledger.deployment.block, latest)) {
          assert.equal(replayed.apply(event), undefined)
        }
      }
      return replayed
    }

    function draws(): fc.Arbitrary<Drawn> {
      const limits = fc.record(
        {
          operationId: often(ZERO_HASH, OPERATIONS[0]),
          notBefore: often(0n, SOON + 1n),
          notAfter: often(UNLIMITED, SOON + 1n, SOON + 2n),
          maxUses: often(UNLIMITED, 1n, 2n),
          vmmHash: often(ZERO_HASH, hash(0xee)),
          hostId: often(ZERO_HASH, hash(0xee)),
          minAssurance: often(1, 0, 2),
          delegationDepth: fc.constantFrom(1, 2, 3),
        },
        { requiredKeys: [] },
      )
      return fc.record({ parent: fc.nat(), isBob: fc.boolean(), limits })
    }
  })
}

const ROOT: Omit<Grant, 'dataId' | 'grantee'> = {
  operationId: ZERO_HASH,
  notBefore: 0n,
  notAfter: UNLIMITED,
  maxUses: UNLIMITED,
  vmmHash: ZERO_HASH,
  hostId: ZERO_HASH,
  minAssurance: 1,
  delegationDepth: 2,
  parent: ZERO_HASH,
  salt: ZERO_HASH,
}

function narrowed(parent: Grant, limits: Partial<Grant>, own: Partial<Grant>): Grant {
  const max = (a: bigint, b = 0n): bigint => (a > b ? a : b)
  const min = (a: bigint, b = UNLIMITED): bigint => (a < b ? a : b)
  const within = (above: Hex, drawn = ZERO_HASH): Hex => (above === ZERO_HASH ? drawn : above)
  return {
    ...parent,
    operationId: within(parent.operationId, limits.operationId),
    notBefore: max(parent.notBefore, limits.notBefore),
    notAfter: min(parent.notAfter, limits.notAfter),
    maxUses: min(parent.maxUses, limits.maxUses),
    vmmHash: within(parent.vmmHash, limits.vmmHash),
    hostId: within(parent.hostId, limits.hostId),
    minAssurance: Math.max(parent.minAssurance, limits.minAssurance ?? 0),
    delegationDepth: parent.delegationDepth - 1,
    ...own,
  }
}

/** The first value mostly. */
function often<T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof({ arbitrary: fc.constant(usual), weight: 8 }, fc.constantFrom(usual, ...others))
}
