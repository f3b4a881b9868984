import assert from 'node:assert/strict'
import { playScene, type Scene } from '../../hil/contracts/scene.ts'
import type { AuditCode } from '../../src/auditor/audit-code.ts'
import type { LedgerReader } from '../../src/auditor/ledger-reader.ts'
import { auditLedger } from '../../src/auditor/verify.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { HOST_REGISTRY } from '../../src/ledger/abi.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { address } from './events.ts'
import { altered, remembered, withArgument, withEvents } from './lying.ts'

type Name = 'rotateAddress' | 'replaceAddress' | 'replaceAk'

const EVENTS: Readonly<Record<Name, LedgerEvent['name']>> = {
  rotateAddress: 'LedgerAddressRotated',
  replaceAddress: 'LedgerAddressReplaced',
  replaceAk: 'AttestationKeyReplaced',
}

/** Changes of a host's keys as they were made on a real chain, told by nodes that lie about them. */
describe('auditLedger on changes of a host’s keys', function () {
  this.timeout(300_000)
  let scene: Scene
  let truth: LedgerReader
  let before_: ReadonlySet<string>

  before(async () => {
    scene = await playScene('osaka')
    // Without its batches, which are none of these audits' business.
    const whole = remembered(scene.chain.ledger)
    truth = altered(whole, {
      logs: (contract, from, to) => (contract === 'auditLog' ? Promise.resolve([]) : whole.logs(contract, from, to)),
    })
    before_ = new Set(await findingsOf(truth))
  })
  after(() => scene.chain.stop())

  /** What is found that is not found on the truth: the scene's hosts have no certificates, and their logs are hidden. */
  const newCodes = async (ledger: LedgerReader): Promise<readonly string[]> => {
    const found = (await findingsOf(ledger)).filter((text) => !before_.has(text))
    return [...new Set(found.map((text) => text.split(' ')[0] ?? ''))]
  }

  /** A ledger whose transaction that calls a function has another value for one of its arguments. */
  const withCalldata = (name: Name, argument: string, value: unknown): LedgerReader => {
    const fragment = HOST_REGISTRY.getFunction(name)
    assert.ok(fragment !== null)
    return altered(truth, {
      transaction: async (hash) => {
        const sent = await truth.transaction(hash)
        if (sent?.input.startsWith(fragment.selector) !== true) return sent
        const args = HOST_REGISTRY.decodeFunctionData(fragment, sent.input).toArray()
        args[fragment.inputs.findIndex((input) => input.name === argument)] = value
        return { ...sent, input: HOST_REGISTRY.encodeFunctionData(fragment, args) as Hex }
      },
    })
  }

  const cases: readonly {
    readonly name: Name
    readonly about: string
    readonly tell: () => LedgerReader
    readonly codes: readonly AuditCode[]
  }[] = [
    ...(['rotateAddress', 'replaceAddress'] as const).flatMap((name) => [
      {
        name,
        about: 'the new address',
        tell: () => withArgument(truth, EVENTS[name], 'to', address(0xee)),
        codes: ['ROTATION_INVALID', 'CALLDATA_DIFFERS'] as const,
      },
      {
        name,
        about: 'the old address',
        tell: () => withArgument(truth, EVENTS[name], 'from', address(0xee)),
        codes: ['ROTATION_INVALID', 'HISTORY_INCONSISTENT'] as const,
      },
      {
        name,
        about: 'the block to which the quote is bound',
        tell: () => withArgument(truth, EVENTS[name], 'anchorBlock', 1n),
        codes: ['ROTATION_INVALID', 'CALLDATA_DIFFERS'] as const,
      },
      {
        name,
        about: 'the new key’s signature',
        tell: () => withCalldata(name, 'toSignature', `0x${'11'.repeat(64)}1b`),
        codes: ['ROTATION_INVALID'] as const,
      },
    ]),
    {
      name: 'rotateAddress',
      about: 'the old key’s signature',
      tell: () => withCalldata('rotateAddress', 'fromSignature', `0x${'11'.repeat(64)}1b`),
      codes: ['ROTATION_INVALID'],
    },
    {
      name: 'replaceAddress',
      about: 'who replaced it',
      tell: () => withArgument(truth, 'LedgerAddressReplaced', 'registrar', address(0xee)),
      codes: ['REGISTRAR_UNKNOWN', 'SENDER_WRONG'],
    },
    {
      name: 'replaceAddress',
      about: 'the suspension that it needs',
      tell: () => withEvents(truth, (event) => (isOfHost(event, 'HostStatusChanged') ? undefined : event)),
      codes: ['HISTORY_INCONSISTENT'],
    },
    {
      name: 'replaceAk',
      about: 'the new key',
      tell: () => withArgument(truth, 'AttestationKeyReplaced', 'akQualifiedName', `0x${'ee'.repeat(32)}`),
      codes: ['AK_UNFIT', 'REPLACEMENT_INVALID'],
    },
    {
      name: 'replaceAk',
      about: 'the ledger key’s consent',
      tell: () => withCalldata('replaceAk', 'addressSignature', `0x${'11'.repeat(64)}1b`),
      codes: ['REPLACEMENT_INVALID'],
    },
  ]

  for (const { name, about, tell, codes } of cases) {
    it(`finds ${codes.join(', ')} where a node lies about ${about} of ${name}`, async () => {
      const found = await newCodes(tell())
      assert.deepEqual(
        codes.filter((code) => !found.includes(code)),
        [],
        found.join(', '),
      )
    })
  }

  it('lets no earlier address speak once one was replaced', async () => {
    const { host } = scene
    const identity = await truth.host(host.hostId)
    assert.equal(identity.ledgerAddress, host.speaker.address)
    assert.equal(identity.previousUntil, 0n)
  })

  function isOfHost(event: LedgerEvent, name: LedgerEvent['name']): boolean {
    return event.name === name && 'hostId' in event.args && event.args.hostId === scene.host.hostId
  }
})

async function findingsOf(ledger: LedgerReader): Promise<readonly string[]> {
  const { findings } = await auditLedger({ ledger, trustAnchors: [] })
  return findings.map(({ code, subject, detail }) => `${code} ${subject} ${detail}`)
}
