import assert from 'node:assert/strict'
import type { Scene } from '../../hil/contracts/scene.ts'
import { FindingLog } from '../../src/auditor/finding-log.ts'
import { HostLog } from '../../src/auditor/host-log.ts'
import { inOrder } from '../../src/auditor/read-events.ts'
import { LedgerHistory } from '../../src/auditor/state.ts'
import { verifyReceipt } from '../../src/auditor/verify-receipt.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { AUDIT_LOG } from '../../src/ledger/abi.ts'
import { decodeCommit } from '../../src/ledger/commit.ts'
import { CONTRACT_NAMES } from '../../src/ledger/deployment.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { BATCH_MODES } from '../../src/ledger/state.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { receiptGroupDigest, type Receipt } from '../../src/record/receipt.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import type { Draw } from './draw.ts'
import { contradiction, drawPromise, drawProof, omission, type FraudSetting, type Logged } from './fraud-draw.ts'
import { auditorErrors, eventOf } from './fraud-verdict.ts'
import { refusalOf } from './harness-calls.ts'

/** How often each answer came, by question. */
export type Counts = ReadonlyMap<string, number>

/** A scene's log with all that was made of it, for asking the contract and the auditor the same. */
export class FraudDifferential {
  readonly #scene: Scene
  readonly #setting: FraudSetting
  readonly #events: readonly LedgerEvent[]
  readonly #history: LedgerHistory
  readonly #log: HostLog
  readonly #seen = new Map<string, number>()

  private constructor(scene: Scene, setting: FraudSetting, events: readonly LedgerEvent[], log: HostLog) {
    this.#scene = scene
    this.#setting = setting
    this.#events = events
    this.#log = log
    this.#history = new LedgerHistory()
    for (const event of events) this.#history.apply(event)
  }

  /** @param drawn batches of the scene's host whose records are known though the log may have their root alone */
  static async open(
    scene: Scene,
    drawn: readonly Logged[],
    ahead: readonly OperationRecord[],
  ): Promise<FraudDifferential> {
    const { ledger } = scene.chain
    const { hostId } = scene.host
    const { number: latestBlock } = await ledger.latestBlock()
    const perContract = await Promise.all(CONTRACT_NAMES.map((name) => ledger.logs(name, 0n, latestBlock)))
    const events = perContract.flat().sort(inOrder)
    const log = new HostLog(hostId)
    const headers = []
    for (const event of events) {
      if (event.name !== 'BatchCommitted' || event.args.hostId !== hostId) continue
      const { firstSeq, count, mode } = event.args
      const { header, records } = decodeCommit((await ledger.transaction(event.transactionHash))?.input ?? '0x')
      headers.push(header)
      if (BATCH_MODES[mode] === 'Anchored') log.anchored.push({ firstSeq, count })
      const { blockNumber } = event
      for (const record of records ?? []) log.records.set(record.seq, { record, batch: firstSeq, blockNumber })
    }
    const { chain, host } = scene
    const [stranger, former] = [await chain.person('stranger'), await chain.person('host')]
    const domain = ledger.domain('auditLog')
    const otherHost = events.flatMap((one) =>
      one.name === 'HostRegistered' && one.args.hostId !== hostId ? [one.args.hostId] : [],
    )
    const setting = { host, stranger, former, domain, headers, logged: drawn, ahead, latestBlock }
    return new FraudDifferential(scene, { ...setting, otherHost: otherHost[0] ?? ZERO_HASH }, events, log)
  }

  get counts(): Counts {
    return this.#seen
  }

  /** Proofs of any kind: the contract takes those that the auditor finds to hold, and refuses the others for the same reason. */
  async compareProofs(draw: Draw, times: number): Promise<void> {
    const { ledger } = this.#scene.chain
    for (let i = 0; i < times; i++) {
      const call = await drawProof(draw, this.#setting)
      const found = await this.#contract(call.name, call.args)
      this.#count(call.name, found)
      if (call.isMisplaced === true) {
        assert.equal(found, 'BatchNotInLog')
        continue
      }
      const told = eventOf(ledger, call, this.#setting.latestBlock)
      const expected = await auditorErrors(ledger, this.#events, this.#history, call, told)
      const isSame = found === undefined ? expected.length === 0 : expected.includes(found)
      const asked = AUDIT_LOG.encodeFunctionData(call.name, call.args)
      assert.ok(isSame, `the contract says ${String(found)}, the auditor ${expected.join(' or ')}: draw ${i}, ${asked}`)
    }
  }

  /** Receipts: what the auditor finds of each is what can be proven to the contract with it. */
  async compareReceipts(draw: Draw, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      const promised = await drawPromise(draw, this.#setting)
      const { record, signed, path } = promised
      const findings = new FindingLog()
      const replayed = { history: this.#history, logs: new Map([[record.hostId, this.#log]]) }
      const receipt: Receipt = { ...NO_REQUEST, record, ...signed, path }
      const { domain, latestBlock } = this.#setting
      const outcome = verifyReceipt(findings, replayed, receipt, domain, latestBlock)
      const said = findings.findings.filter(({ code }) => !code.startsWith('REQUEST_'))
      const faults = new Set(said.filter(({ code }) => code === 'RECEIPT_INVALID').map(({ detail }) => detail))
      const codes = new Set(said.map(({ code }) => code))
      const what = `draw ${i}: ${outcome}, ${said.map(({ code, detail }) => `${code} ${detail}`).join('; ')}: ${receiptGroupDigest(domain, signed.group)}`

      const batch = this.#setting.logged.find(({ records }) => records.some(({ seq }) => seq === record.seq))
      if (batch !== undefined) {
        const call = contradiction(promised, batch, this.#setting)
        const found = await this.#contract(call.name, call.args)
        this.#count('receipt beside batch', found)
        const logged = batch.records.find(({ seq }) => seq === record.seq)
        const isAnchored = this.#log.isAnchored(record.seq)
        const differs = isAnchored
          ? logged === undefined || leafOf(logged) !== leafOf(record)
          : codes.has('RECORD_DIFFERS')
        const expected = faults.has('GROUP_OTHER_HOST')
          ? ['OtherHost']
          : faults.has('SIGNATURE_INVALID')
            ? ['ReceiptSignatureInvalid']
            : faults.has('RECORD_NOT_IN_GROUP')
              ? ['SeqOutside', 'LeafNotInGroup']
              : [differs ? undefined : 'NoContradiction']
        assert.ok(expected.includes(found), `proveContradiction: ${String(found)}, ${what}`)
      }
      const { name, args } = omission(promised, this.#setting)
      const found = await this.#contract(name, args)
      this.#count(batch === undefined ? 'receipt, not logged' : 'receipt, logged', found)
      if (faults.has('SIGNATURE_INVALID') || faults.has('GROUP_OTHER_HOST')) {
        assert.equal(found, 'ReceiptSignatureInvalid', what)
      } else if (latestBlock <= signed.group.includeBy) {
        assert.equal(found, 'DeadlineAhead', what)
        assert.ok(outcome !== 'broken' || codes.has('RECORD_DIFFERS') || faults.size > 0, what)
      } else if (codes.has('RECORD_OMITTED') && faults.size === 0) {
        assert.equal(found, undefined, what)
      } else if (faults.size === 0) {
        assert.equal(found, 'NothingOmitted', what)
      }
    }
  }

  /** The name of the error with which a call of the log reverts; undefined where it does not. */
  async #contract(name: string, args: readonly unknown[]): Promise<string | undefined> {
    const { chain } = this.#scene
    const { address: to } = chain.deployment.contracts.auditLog
    const data = await refusalOf(chain.rpc, { to, data: AUDIT_LOG.encodeFunctionData(name, args) as Hex })
    return data === undefined ? undefined : (AUDIT_LOG.parseError(data)?.name ?? `unknown error ${data}`)
  }

  #count(question: string, answer: string | undefined): void {
    const key = `${question}: ${answer ?? 'taken'}`
    this.#seen.set(key, (this.#seen.get(key) ?? 0) + 1)
  }
}

/** What the ledger cannot say anything of: it never sees the request. */
const NO_REQUEST: Pick<Receipt, 'request' | 'requestSignature' | 'salt'> = {
  request: {
    ...{ operationId: ZERO_HASH, dataId: ZERO_HASH, grantId: ZERO_HASH, inputHash: ZERO_HASH, hostId: ZERO_HASH },
    ...{ nonce: ZERO_HASH, expiry: 0n },
  },
  requestSignature: toHex(new Uint8Array(65)),
  salt: ZERO_HASH,
}
