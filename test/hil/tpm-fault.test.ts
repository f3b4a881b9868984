import assert from 'node:assert/strict'
import { hash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFaultProxy, type FaultProxy } from '../../hil/tpm-fault/proxy.ts'
import type { Fault } from '../../hil/tpm-fault/fault.ts'
import { powerCycle, startUp } from '../../hil/tpm-fault/power.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { concat } from '../../src/core/bytes.ts'
import { table } from '../../src/cli/output.ts'
import { DeviceError } from '../../src/device/error.ts'
import { OWNER, PASSWORD } from '../../src/tpm/commands.ts'
import { TpmError } from '../../src/tpm/error.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import { DEFAULT_AK_HANDLE, DEFAULT_NV_INDEX, Tpm } from '../../src/tpm/tpm.ts'
import { held, withTss } from '../tpm/tss.ts'
import { tpmError } from '../tpm/suite.ts'
import { assertQuote } from './quote-judge.ts'

const DEADLINE_MS = 700
/** For starting a process on a machine that has other work. */
const GRACE_MS = 6000
const SELECTION = { bank: 'sha256', pcrs: [0, 7, 16] } as const

/** A call of the device that sends a command. Its work throws where what it got is not so. */
interface Operation {
  readonly name: string
  readonly code: number
  readonly call?: number
  readonly work: (tpm: Tpm) => Promise<unknown>
  /** What nothing protects on its way, so that a changed bit is believed: never a quote, the PCRs with it, or the counter. */
  readonly unprotected?: boolean
  /** Changes the TPM, so that after the connection was lost it must not be done again: the caller is told. */
  readonly changes?: boolean
}

const FAULTS: readonly (readonly [string, Fault])[] = [
  ['delay', { kind: 'delay', ms: 150 }],
  ['drop cmd', { kind: 'drop command' }],
  ['drop ans', { kind: 'drop answer' }],
  ['hang up', { kind: 'hang up' }],
  ['cut', { kind: 'cut' }],
  ['RETRY', { kind: 'return code', rc: 0x922 }],
  ['MEMORY', { kind: 'return code', rc: 0x902 }],
  ['LOCKOUT', { kind: 'return code', rc: 0x921 }],
  ['unknown', { kind: 'return code', rc: 0x97f }],
  ['swap', { kind: 'swap' }],
  ['replay', { kind: 'replay' }],
  ['flip head', { kind: 'flip', at: 0.1 }],
  ['flip mid', { kind: 'flip', at: 0.5 }],
  ['flip end', { kind: 'flip', at: 0.99 }],
  ['reset', { kind: 'reset', startup: true }],
  ['no start', { kind: 'reset', startup: false }],
]

/** What must not be noticed by who asked; the first two where the call changes nothing. */
const LOST = ['hang up', 'cut']
const PASSING = ['delay', 'RETRY', 'MEMORY', 'reset']

describe('the TPM device between faults', () => {
  let dir: string
  let swtpm: StackProcess
  let direct: string
  let proxy: FaultProxy
  let tpm: Tpm
  let ek: Uint8Array
  let ak: { public: Uint8Array; name: Uint8Array }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-fault-'))
    await manufactureSwtpm(dir)
    ;({ process: swtpm, tcti: direct } = await startSwtpm(dir))
    proxy = await startFaultProxy(join(dir, 'swtpm.sock'), join(dir, 'p.sock'))
    tpm = new Tpm({ tcti: proxy.tcti, deadlineMs: DEADLINE_MS })
    ;({ public: ek } = await settled(() => tpm.endorsementKey()))
    ak = await tpm.attestationKey()
    await tpm.incrementCounter()
  })
  // A test that failed before may have left it without.
  beforeEach(() => startUp(join(dir, 'swtpm.sock')))
  after(async () => {
    await tpm.close()
    await proxy.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  const quoted = async (of: Tpm): Promise<void> => {
    const data = new Uint8Array(randomBytes(32))
    const { quote, values } = await of.quoteWithPcrs(SELECTION, data)
    assert.deepEqual(quote.akPublic, ak.public)
    const read = SELECTION.pcrs.map((pcr) => values.get(pcr) ?? new Uint8Array())
    const expected = { akPublic: ak.public, pcrs: SELECTION.pcrs, nonce: data, values: read }
    assertQuote(quote.attest, quote.signature, expected)
  }
  const readAk = async (of: Tpm): Promise<void> => {
    assert.deepEqual(await of.attestationKey(), ak)
  }
  /** In a session with this host's TPM: what it says of its counter is so. */
  const counted = async (of: Tpm): Promise<void> => {
    const value = await of.incrementCounter(hash('sha256', ek, 'buffer'))
    const found = withTss(direct, ({ commands }) => {
      const [index] = commands.TR_FromTPMPublic(DEFAULT_NV_INDEX, [])
      return Buffer.from(commands.NV_Read(index, index, [PASSWORD], 8, 0)[0]).readBigUInt64BE(2)
    })
    assert.equal(value, found)
  }
  const activated = async (of: Tpm): Promise<void> => {
    const secret = new Uint8Array(randomBytes(32))
    assert.deepEqual(await of.activateCredential(makeCredential(ek, ak.name, secret)), secret)
  }
  const operations: readonly Operation[] = [
    { name: 'ReadClock', code: 0x181, unprotected: true, work: (of) => of.readClock() },
    { name: 'GetCapability', code: 0x17a, unprotected: true, work: (of) => of.readLockout() },
    { name: 'ReadPublic', code: 0x173, work: readAk },
    { name: 'ReadPublic 2', code: 0x173, call: 2, work: readAk },
    { name: 'CreatePrimary', code: 0x131, work: (of) => evicted().then(() => readAk(of)) },
    { name: 'EvictControl', code: 0x120, work: (of) => evicted().then(() => readAk(of)) },
    { name: 'Quote', code: 0x158, work: quoted },
    { name: 'PCR_Read', code: 0x17e, work: quoted },
    { name: 'PCR_Extend', code: 0x182, changes: true, work: extended },
    { name: 'NV_ReadPublic', code: 0x169, changes: true, work: counted },
    { name: 'NV_Read', code: 0x14e, changes: true, work: counted },
    { name: 'NV_Increment', code: 0x134, changes: true, work: counted },
    { name: 'StartAuthSession', code: 0x176, work: activated },
    { name: 'PolicySecret', code: 0x151, work: activated },
    { name: 'ActivateCredential', code: 0x147, work: activated },
    { name: 'FlushContext', code: 0x165, work: activated },
  ]

  it('recovers or refuses clearly, never believes a wrong quote, and leaves nothing behind', async function () {
    this.timeout(400_000)
    this.retries(0)
    const rows: string[][] = [['', ...FAULTS.map(([name]) => name)]]
    const wrong: string[] = []
    for (const operation of operations) {
      const row = [operation.name]
      for (const [faultName, fault] of FAULTS) {
        const cell = `${operation.name} × ${faultName}`
        const recovers = PASSING.includes(faultName) || (operation.changes !== true && LOST.includes(faultName))
        let outcome = await attemptCell(operation, fault)
        // Recovering takes twice as long, and a busy machine longer than the deadline: but not each time.
        for (let i = 0; recovers && outcome === 'deadline' && i < 3; i++) outcome = await attemptCell(operation, fault)
        row.push(outcome)
        if (recovers && outcome !== 'ok') wrong.push(`${cell}: not recovered: ${outcome}`)
        if (outcome === 'WRONG' || outcome.startsWith('!')) wrong.push(`${cell}: ${outcome}`)
        const left = held(direct)
        if (left.transient.length + left.sessions.length > 0) wrong.push(`${cell}: left behind ${JSON.stringify(left)}`)
      }
      rows.push(row)
    }
    console.log(table(rows))
    assert.deepEqual(wrong, [])
  })

  /** One cell: with the fault, and once more without. */
  async function attemptCell(operation: Operation, fault: Fault): Promise<string> {
    // Back-off after a process that was killed counts towards the wait, not towards this call.
    const leaveIt = (thrown: unknown) => `! no start: ${String(thrown)}`
    const refused = await settled(() => tpm.readClock()).then(() => undefined, leaveIt)
    if (refused !== undefined) return refused
    proxy.inject(operation.code, fault, { call: operation.call ?? 1 })
    const begin = performance.now()
    let outcome = 'ok'
    try {
      await operation.work(tpm)
    } catch (error) {
      if (error instanceof assert.AssertionError) outcome = operation.unprotected === true ? 'unsigned' : 'WRONG'
      else if (error instanceof TpmError || error instanceof DeviceError) outcome = SHORT[error.code] ?? error.code
      else outcome = `! ${String(error)}`
    }
    const took = performance.now() - begin
    if (took > DEADLINE_MS + GRACE_MS) outcome = `! ${took.toFixed(0)} ms`
    if (!proxy.clear()) return '! the fault did not come to pass'
    if (fault.kind === 'reset' && !fault.startup) await powerCycle(join(dir, 'swtpm.sock'), true)
    try {
      // Whatever it was, the device is of use again.
      await settled(() => quoted(tpm))
      await settled(() => activated(tpm))
    } catch (error) {
      return `! no recovery after ${outcome}: ${String(error)}`
    }
    return outcome
  }

  async function evicted(): Promise<void> {
    await Promise.resolve()
    withTss(direct, ({ commands }) => {
      const [handle] = commands.TR_FromTPMPublic(DEFAULT_AK_HANDLE, [])
      commands.EvictControl(OWNER, handle, [PASSWORD], DEFAULT_AK_HANDLE)
    })
  }

  /** After an error it may have been extended, but once at most. */
  async function extended(of: Tpm): Promise<void> {
    const read = () => settled(async () => (await of.quoteWithPcrs(SELECTION, new Uint8Array(32))).values.get(16))
    const [before, digest] = [await read(), randomBytes(32)]
    const [{ resetCount }, after] = [
      await settled(() => of.readClock()),
      hash('sha256', concat(before ?? digest, digest), 'buffer'),
    ]
    const error: unknown = await of.extendPcr(16, digest).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    proxy.clear()
    if ((await settled(() => of.readClock()).catch(() => undefined))?.resetCount === resetCount) {
      const now = await read()
      assert.ok(now !== undefined && before !== undefined)
      const is = (value: Uint8Array) => Buffer.compare(now, value) === 0
      assert.ok(is(after) || (error !== undefined && is(before)), 'extended more than once, or not and said so')
    }
    if (error instanceof Error) throw error
  }

  /** Asks until the device process is there, which on a busy machine may take longer than its deadline. */
  async function settled<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof DeviceError) || attempt > 20) throw error
      }
    }
  }

  it('says of a TPM that nobody has started what that means', async () => {
    await powerCycle(join(dir, 'swtpm.sock'), false)
    await assert.rejects(
      settled(() => tpm.readPcrs(SELECTION)),
      (error) => {
        tpmError('TPM_RC')(error)
        return /not started/.test((error as Error).message)
      },
    )
    await powerCycle(join(dir, 'swtpm.sock'), true)
  })

  it('says a lockout in words, with the TPM’s own figures', async () => {
    await settled(() => tpm.readClock())
    proxy.inject(0x158, { kind: 'return code', rc: 0x921 })
    await assert.rejects(tpm.quote(SELECTION, new Uint8Array()), (error) => {
      tpmError('LOCKED_OUT')(error)
      return /of at most \d+ failed authorisations, one is forgotten every/.test((error as Error).message)
    })
  })

  it('quotes again where PCRs move during a quote, and says so when they never rest', async () => {
    let moves = 3
    const move = () => {
      if (moves-- <= 0) return
      withTss(direct, ({ commands }) => {
        commands.PCR_Extend(16, [PASSWORD], Uint8Array.of(0, 0, 0, 1, 0, 0x0b, ...randomBytes(32)))
      })
    }
    await settled(() => tpm.readClock())
    proxy.inject(0x17e, { kind: 'before answer', act: move }, { always: true })
    await quoted(tpm)
    assert.ok(moves < 0)
    moves = Infinity
    await assert.rejects(tpm.quoteWithPcrs(SELECTION, new Uint8Array(32)), tpmError('PCRS_MOVING'))
    proxy.clear()
  })

  it('waits out a TPM that says it has not begun, for half its deadline, and then says so', async () => {
    await settled(() => tpm.readClock())
    for (const rc of [0x908, 0x90a, 0x920, 0x922, 0x923]) {
      proxy.inject(0x158, { kind: 'return code', rc })
      await tpm.quote(SELECTION, new Uint8Array())
    }
    proxy.inject(0x158, { kind: 'return code', rc: 0x920 }, { always: true })
    await assert.rejects(tpm.quote(SELECTION, new Uint8Array()), (error) => {
      tpmError('TPM_RC')(error)
      return (error as TpmError).rc === 0x920
    })
    proxy.clear()
  })
})

const SHORT: Readonly<Record<string, string>> = {
  DEADLINE: 'deadline',
  DIED: 'died',
  UNAVAILABLE: 'unavail.',
  TPM_RC: 'code',
  LOCKED_OUT: 'lockout',
  TCTI_UNREACHABLE: 'unreach.',
  RESPONSE_UNEXPECTED: 'unexp.',
  CREDENTIAL_REFUSED: 'refused',
  AK_UNSUITABLE: 'no AK',
  NV_UNSUITABLE: 'no NV',
  AUTHORIZATION_REFUSED: 'auth',
  PCR_NOT_ALLOCATED: 'no PCR',
}
