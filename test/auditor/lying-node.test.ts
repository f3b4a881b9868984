import assert from 'node:assert/strict'
import type { AuditCode } from '../../src/auditor/audit-code.ts'
import type { AuditReport } from '../../src/auditor/audit-report.ts'
import type { LedgerReader } from '../../src/auditor/ledger-reader.ts'
import { auditLedger } from '../../src/auditor/verify.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { HOST_REGISTRY } from '../../src/ledger/abi.ts'
import { decodeCommit, encodeCommit } from '../../src/ledger/commit.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { REASONS } from '../../src/record/reason.ts'
import type { OperationRecord } from '../../src/record/record.ts'
import { hash, address } from './events.ts'
import { altered, remembered, withArgument, withEvents } from './lying.ts'
import { startRig, type Rig } from './rig.ts'

/** An honest host's history, told by nodes that lie about it: each lie has its finding. */
describe('auditLedger on a node that lies', function () {
  this.timeout(120_000)
  let rig: Rig
  /** What the real node said, asked once. */
  let truth: LedgerReader
  let events: readonly LedgerEvent[]

  before(async () => {
    rig = await startRig()
    const { alice, bob, commit, grant, hostId, local, policy, send } = rig
    const [kept, limited] = [await grant(), await grant({ maxUses: 2n })]
    const bobs = { requester: bob.address }
    await commit([{}, { ...bobs, grantId: kept }, { ...bobs, grantId: limited }, { ...bobs, grantId: limited }])
    await policy(alice, 'revoke', kept)
    await commit([
      { ...bobs, status: REASONS.GRANT_MISSING },
      { ...bobs, grantId: kept, status: REASONS.GRANT_REVOKED },
      { ...bobs, grantId: limited, status: REASONS.GRANT_EXHAUSTED },
      { status: REASONS.INTERRUPTED },
      { status: REASONS.OPERATION_FAILED },
    ])
    await send(local.owner, 'hostRegistry', HOST_REGISTRY.encodeFunctionData('suspend', [hostId]))
    await commit([{ status: REASONS.HOST_NOT_ACTIVE }])
    await send(local.owner, 'hostRegistry', HOST_REGISTRY.encodeFunctionData('reinstate', [hostId]))
    await commit([{}])
    truth = remembered(rig.ledger)
    events = await truth.logs('auditLog', truth.deployment.block, (await truth.latestBlock()).number)
  })
  after(() => rig.stop())

  const audit = (ledger: LedgerReader): Promise<AuditReport> => auditLedger({ ledger, trustAnchors: rig.trustAnchors })

  it('finds nothing where it does not', async () => {
    const progress: string[] = []
    const onProgress = (label: string): void => void progress.push(label)
    const report = await auditLedger({ ledger: truth, trustAnchors: rig.trustAnchors, onProgress })
    assert.deepEqual(report.findings, [])
    const { ok, trust, operations, verified, hosts, blocks } = report
    assert.deepEqual({ ok, trust, operations, verified }, { ok: true, trust: 'node', operations: 11, verified: 11 })
    assert.equal(blocks.from, truth.deployment.block)
    const [host] = hosts
    assert.deepEqual(
      { id: host?.hostId, assurance: host?.assurance, done: host?.done, denied: host?.denied, failed: host?.failed },
      { id: rig.hostId, assurance: 'Software', done: 5, denied: 4, failed: 2 },
    )
    assert.deepEqual(host?.pcrSelections, ['sha256:13'])
    assert.match(report.trustStatement, /^one RPC node believed: /)
    for (const said of ['firmware', 'whether a hypervisor stands behind sha256:13', 'profile `ci`']) {
      assert.ok(
        report.notCovered.some((sentence) => sentence.includes(rig.hostId) && sentence.includes(said)),
        said,
      )
    }
    assert.ok(progress.length > 3)
  })

  it('finds out a node that has no events at all: the contracts have approvers', async () => {
    const report = await audit(withEvents(truth, () => undefined))
    assert.deepEqual([report.ok, report.operations, report.hosts.length], [false, 0, 0])
    assert.deepEqual([...new Set(report.findings.map(({ code }) => code))], ['STATE_DIFFERS'])
  })

  const only = (at: number, change: (event: LedgerEvent) => LedgerEvent | undefined): LedgerReader =>
    withEvents(truth, (event) =>
      event.transactionHash === events[at]?.transactionHash && event.name === 'BatchCommitted' ? change(event) : event,
    )
  const without = (name: LedgerEvent['name'], at = 0): LedgerReader => {
    let seen = -1
    return withEvents(truth, (event) => (event.name === name && ++seen === at ? undefined : event))
  }
  const commitAltered = (change: (commit: ReturnType<typeof decodeCommit>) => Hex): LedgerReader =>
    altered(truth, {
      transaction: async (transactionHash) => {
        const transaction = await truth.transaction(transactionHash)
        if (transactionHash !== events[0]?.transactionHash || transaction === undefined) return transaction
        return { ...transaction, input: change(decodeCommit(transaction.input)) }
      },
    })
  const recordAltered = (part: Partial<OperationRecord>): LedgerReader =>
    commitAltered(({ header, records = [], quote }) => {
      const changed = records.map((record, i) => (i === 1 ? { ...record, ...part } : record))
      return encodeCommit(header, changed, quote)
    })
  const argument = (name: LedgerEvent['name'], key: string, value: unknown): LedgerReader =>
    withArgument(truth, name, key, value)
  const OTHER = { hash: hash(0xee), address: address(0xee) }

  interface Lie {
    readonly about: string
    readonly tell: () => LedgerReader
    readonly codes: readonly AuditCode[]
  }
  const lies: readonly Lie[] = [
    // Batches
    { about: 'a record', tell: () => recordAltered({ dataHash: OTHER.hash }), codes: ['ROOT_DIFFERS'] },
    {
      about: 'who asked',
      tell: () => recordAltered({ requester: OTHER.address }),
      codes: ['ROOT_DIFFERS', 'ACCESS_NOT_ALLOWED'],
    },
    {
      about: 'a header',
      tell: () =>
        commitAltered(({ header, records = [], quote }) => encodeCommit({ ...header, nvCounter: 99n }, records, quote)),
      codes: ['BATCH_QUOTE_INVALID', 'BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'an anchor',
      tell: () =>
        commitAltered(({ header, records = [], quote }) =>
          encodeCommit({ ...header, anchorBlock: 1000n }, records, quote),
        ),
      codes: ['BATCH_QUOTE_INVALID', 'ANCHOR_STALE'],
    },
    {
      about: 'a quote',
      tell: () =>
        commitAltered(({ header, records = [], quote }) =>
          encodeCommit(header, records, { ...quote, attest: quote.attest.with(80, 1) }),
        ),
      codes: ['BATCH_QUOTE_INVALID'],
    },
    {
      about: 'a quote’s signature',
      tell: () =>
        commitAltered(({ header, records = [], quote }) =>
          encodeCommit(header, records, { ...quote, signature: quote.signature.with(9, 1) }),
        ),
      codes: ['BATCH_QUOTE_INVALID'],
    },
    { about: 'a function', tell: () => commitAltered(() => `0x12345678`), codes: ['CALLDATA_MALFORMED'] },
    {
      about: 'the length of calldata',
      tell: () => commitAltered(({ header, records = [], quote }) => `${encodeCommit(header, records, quote)}00`),
      codes: ['CALLDATA_MALFORMED'],
    },
    {
      about: 'a batch’s root',
      tell: () => argument('BatchCommitted', 'root', OTHER.hash),
      codes: ['BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'a batch’s head',
      tell: () => only(1, (e) => ({ ...e, args: { ...e.args, head: OTHER.hash } }) as LedgerEvent),
      codes: ['BATCH_EVENT_DIFFERS', 'HEAD_BROKEN'],
    },
    {
      about: 'the last head',
      tell: () => only(3, (e) => ({ ...e, args: { ...e.args, head: OTHER.hash } }) as LedgerEvent),
      codes: ['BATCH_EVENT_DIFFERS', 'HEAD_DIFFERS'],
    },
    {
      about: 'what a batch’s quote shows',
      tell: () => argument('BatchCommitted', 'vmmHash', OTHER.hash),
      codes: ['BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'the TPM’s counter',
      tell: () => argument('BatchCommitted', 'nvCounter', 1n),
      codes: ['BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'how many records there are',
      tell: () => argument('BatchCommitted', 'count', 1),
      codes: ['BATCH_EVENT_DIFFERS', 'BATCH_NOT_NEXT'],
    },
    {
      about: 'a verdict',
      tell: () => argument('BatchCommitted', 'verdicts', '0x0000010000'),
      codes: ['VERDICT_DIFFERS'],
    },
    {
      about: 'the number of verdicts',
      tell: () => argument('BatchCommitted', 'verdicts', '0x'),
      codes: ['VERDICT_DIFFERS', 'BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'whose batch it is',
      tell: () => argument('BatchCommitted', 'hostId', OTHER.hash),
      codes: ['HISTORY_INCONSISTENT', 'BATCH_QUOTE_INVALID', 'BATCH_EVENT_DIFFERS'],
    },
    {
      about: 'how often a grant was used',
      tell: () => argument('GrantUsed', 'uses', 1n),
      codes: ['BATCH_EVENT_DIFFERS', 'STATE_DIFFERS'],
    },
    // What is left out
    { about: 'the last batch', tell: () => without('BatchCommitted', 3), codes: ['HEAD_DIFFERS'] },
    {
      about: 'the first batch',
      tell: () => without('BatchCommitted', 0),
      codes: ['BATCH_NOT_NEXT', 'HEAD_BROKEN', 'HISTORY_INCONSISTENT'],
    },
    {
      about: 'a use',
      tell: () => without('GrantUsed'),
      codes: ['BATCH_EVENT_DIFFERS', 'STATE_DIFFERS'],
    },
    { about: 'a revocation', tell: () => without('GrantRevoked'), codes: ['STATE_DIFFERS', 'DENIAL_UNFOUNDED'] },
    {
      about: 'a suspension',
      tell: () => without('HostStatusChanged'),
      codes: ['HISTORY_INCONSISTENT', 'DENIAL_UNFOUNDED'],
    },
    {
      about: 'a reinstatement',
      tell: () => without('HostStatusChanged', 1),
      codes: ['STATE_DIFFERS', 'HOST_NOT_ACTIVE', 'VERDICT_DIFFERS'],
    },
    {
      about: 'a grant',
      tell: () => without('Granted'),
      codes: ['HISTORY_INCONSISTENT', 'ACCESS_NOT_ALLOWED', 'VERDICT_DIFFERS'],
    },
    {
      about: 'the owner of data',
      tell: () => without('DataRegistered'),
      codes: ['GRANTOR_WRONG', 'ACCESS_NOT_ALLOWED'],
    },
    { about: 'an approval', tell: () => without('DecisionApproved'), codes: ['THRESHOLD_MISSED'] },
    {
      about: 'an authorisation',
      tell: () => without('VmmAuthorised'),
      codes: ['STATE_DIFFERS', 'VMM_NOT_AUTHORISED'],
    },
    {
      about: 'a registrar',
      tell: () => without('RegistrarChanged'),
      codes: ['REGISTRAR_UNKNOWN'],
    },
    { about: 'a proposal', tell: () => without('VmmProposed'), codes: ['HISTORY_INCONSISTENT', 'VMM_NOT_AUTHORISED'] },
    {
      about: 'a registration',
      tell: () => without('HostRegistered'),
      codes: ['HISTORY_INCONSISTENT', 'BATCH_QUOTE_INVALID', 'VMM_QUOTE_INVALID'],
    },
    // Order
    {
      about: 'the order of batches',
      tell: () =>
        withEvents(truth, (event) => {
          const [first, second] = events
          if (first === undefined || second === undefined) return event
          if (event.transactionHash === first.transactionHash && event.name === first.name)
            return { ...event, blockNumber: second.blockNumber }
          return event.name === second.name && event.transactionHash === second.transactionHash
            ? { ...event, blockNumber: first.blockNumber }
            : event
        }),
      codes: ['TRANSACTION_MISSING', 'BATCH_NOT_NEXT'],
    },
    {
      about: 'the same event twice',
      tell: () =>
        altered(truth, {
          logs: async (contract, from, to) => (await truth.logs(contract, from, to)).flatMap((event) => [event, event]),
        }),
      codes: ['HISTORY_INCONSISTENT', 'BATCH_NOT_NEXT'],
    },
    {
      about: 'an event out of its range',
      tell: () => withEvents(truth, (event) => ({ ...event, blockNumber: 10n ** 9n })),
      codes: ['LEDGER_UNREADABLE'],
    },
    // Blocks, transactions, state
    {
      about: 'the hash of a block',
      tell: () =>
        altered(truth, {
          blockAt: async (number) => ({ ...(await truth.blockAt(number)), hash: OTHER.hash }),
        }),
      codes: ['BATCH_QUOTE_INVALID', 'VMM_QUOTE_INVALID', 'REGISTRATION_QUOTE_INVALID'],
    },
    {
      about: 'the time of a block',
      tell: () => altered(truth, { blockAt: async (number) => ({ ...(await truth.blockAt(number)), timestamp: 0n }) }),
      codes: ['TIMESTAMP_FAR', 'VERDICT_DIFFERS', 'EK_CERTIFICATE_INVALID'],
    },
    {
      about: 'a block that it should have',
      tell: () => altered(truth, { blockAt: () => Promise.reject(new Error('no such block')) }),
      codes: ['LEDGER_UNREADABLE', 'BATCH_QUOTE_INVALID'],
    },
    {
      about: 'transactions that it should have',
      tell: () => altered(truth, { transaction: () => Promise.resolve(undefined) }),
      codes: ['TRANSACTION_MISSING'],
    },
    {
      about: 'the receiver of transactions',
      tell: () =>
        altered(truth, {
          transaction: async (id) => ({ ...(await truth.transaction(id)), to: OTHER.address }) as never,
        }),
      codes: ['CALLDATA_MALFORMED'],
    },
    {
      about: 'the sender of transactions',
      tell: () =>
        altered(truth, {
          transaction: async (id) => ({ ...(await truth.transaction(id)), from: OTHER.address }) as never,
        }),
      codes: ['SENDER_WRONG'],
    },
    {
      about: 'events that it should have',
      tell: () => altered(truth, { logs: () => Promise.reject(new Error('too many')) }),
      codes: ['LEDGER_UNREADABLE'],
    },
    {
      about: 'the head in the state',
      tell: () => altered(truth, { head: () => Promise.resolve(OTHER.hash) }),
      codes: ['HEAD_DIFFERS'],
    },
    {
      about: 'the next number in the state',
      tell: () => altered(truth, { nextSeq: () => Promise.resolve(99n) }),
      codes: ['HEAD_DIFFERS'],
    },
    {
      about: 'who decides',
      tell: () => altered(truth, { approvers: () => Promise.reject(new RangeError('no answer')) }),
      codes: ['LEDGER_UNREADABLE'],
    },
    {
      about: 'the state that it should have',
      tell: () => altered(truth, { head: () => Promise.reject(new Error('pruned')) }),
      codes: ['LEDGER_UNREADABLE'],
    },
    // Hosts
    {
      about: 'a hostId',
      tell: () => argument('HostRegistered', 'hostId', OTHER.hash),
      codes: ['HOST_ID_DIFFERS', 'REGISTRATION_QUOTE_INVALID'],
    },
    {
      about: 'an EK',
      tell: () => argument('HostRegistered', 'ekPublic', '0x00'),
      codes: ['HOST_ID_DIFFERS', 'EK_CERTIFICATE_INVALID', 'CALLDATA_DIFFERS'],
    },
    {
      about: 'an EK certificate',
      tell: () => argument('HostRegistered', 'ekCertificate', '0x3000'),
      codes: ['EK_CERTIFICATE_INVALID', 'CALLDATA_DIFFERS'],
    },
    {
      about: 'an AK',
      tell: () =>
        withEvents(truth, (e) =>
          e.name === 'HostRegistered' ? { ...e, args: { ...e.args, quote: { ...e.args.quote, akPublic: '0x00' } } } : e,
        ),
      codes: ['AK_UNFIT', 'REGISTRATION_QUOTE_INVALID', 'BATCH_QUOTE_INVALID', 'ADDRESS_CLAIM_INVALID'],
    },
    {
      about: 'a ledger address',
      tell: () => argument('HostRegistered', 'ledgerAddress', OTHER.address),
      codes: ['ADDRESS_CLAIM_INVALID', 'REGISTRATION_QUOTE_INVALID', 'SENDER_WRONG', 'STATE_DIFFERS'],
    },
    {
      about: 'an assurance',
      tell: () => argument('HostRegistered', 'assurance', 2),
      codes: ['ASSURANCE_OVERSTATED', 'CALLDATA_DIFFERS', 'STATE_DIFFERS'],
    },
    {
      about: 'a registrar',
      tell: () => argument('HostRegistered', 'registrar', OTHER.address),
      codes: ['REGISTRAR_UNKNOWN', 'SENDER_WRONG'],
    },
    {
      about: 'a registration’s anchor',
      tell: () => argument('HostRegistered', 'anchorBlock', 1n),
      codes: ['REGISTRATION_QUOTE_INVALID', 'CALLDATA_DIFFERS'],
    },
    // VMMs
    { about: 'a measurement', tell: () => argument('VmmProposed', 'attested', '0x00'), codes: ['VMM_HASH_DIFFERS'] },
    {
      about: 'a manifest',
      tell: () => argument('VmmProposed', 'manifestHash', OTHER.hash),
      codes: ['CALLDATA_DIFFERS', 'STATE_DIFFERS'],
    },
    {
      about: 'an approver',
      tell: () => argument('DecisionApproved', 'approver', OTHER.address),
      codes: ['APPROVER_UNKNOWN', 'APPROVAL_SIGNATURE_INVALID', 'THRESHOLD_MISSED'],
    },
    {
      about: 'a count of approvals',
      tell: () => argument('DecisionApproved', 'approvals', 0),
      codes: ['HISTORY_INCONSISTENT'],
    },
    {
      about: 'what was decided',
      tell: () => argument('DecisionApproved', 'decision', OTHER.hash),
      codes: ['CALLDATA_DIFFERS', 'THRESHOLD_MISSED'],
    },
    {
      about: 'the end of a VMM’s validity',
      tell: () => argument('VmmAuthorised', 'validUntil', 9n),
      codes: ['THRESHOLD_MISSED', 'VMM_NOT_AUTHORISED', 'STATE_DIFFERS'],
    },
    {
      about: 'who the approvers are',
      tell: () => argument('ApproversChanged', 'approvers', [OTHER.address]),
      codes: ['APPROVER_UNKNOWN', 'STATE_DIFFERS'],
    },
    // Grants
    {
      about: 'a grant’s content',
      tell: () =>
        withEvents(truth, (e) =>
          e.name === 'Granted' ? { ...e, args: { ...e.args, grant: { ...e.args.grant, maxUses: 9n } } } : e,
        ),
      codes: ['GRANT_ID_DIFFERS', 'CALLDATA_DIFFERS'],
    },
    {
      about: 'a grantor',
      tell: () => argument('Granted', 'grantor', OTHER.address),
      codes: ['GRANTOR_WRONG', 'SENDER_WRONG', 'STATE_DIFFERS'],
    },
    {
      about: 'who revoked',
      tell: () => argument('GrantRevoked', 'by', OTHER.address),
      codes: ['GRANTOR_WRONG', 'SENDER_WRONG'],
    },
    {
      about: 'a dataId',
      tell: () => argument('DataRegistered', 'dataId', OTHER.hash),
      codes: ['DATA_ID_DIFFERS', 'STATE_DIFFERS'],
    },
    {
      about: 'an owner',
      tell: () => argument('DataRegistered', 'owner', OTHER.address),
      codes: ['SENDER_WRONG', 'DATA_ID_DIFFERS', 'GRANTOR_WRONG'],
    },
  ]
  for (const { about, tell, codes } of lies) {
    it(`finds ${codes.join(', ')} where it lies about ${about}`, async () => {
      const report = await audit(tell())
      const found = new Set(report.findings.map(({ code }) => code))
      assert.equal(report.ok, false)
      const missing = codes.filter((code) => !found.has(code))
      assert.deepEqual(missing, [], `found ${[...found].join(', ')}`)
    })
  }

  it('trusts no certificate where the trust store has others', async () => {
    const [, second] = rig.trustAnchors
    const report = await auditLedger({ ledger: truth, trustAnchors: second === undefined ? [] : [second] })
    assert.deepEqual([report.ok, report.verified, report.hosts[0]?.assurance], [false, 0, 'Unverified'])
    assert.equal(report.findings[0]?.code, 'EK_CERTIFICATE_INVALID')
  })
})
