import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { JournalError, type JournalErrorCode } from '../../src/agent/error.ts'
import { Journal } from '../../src/agent/journal.ts'
import { batchOver, identity, intent, outcome } from './journal-sample.ts'

describe('Journal', () => {
  let directory: string
  let journal: Journal | undefined

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'attestry-journal-'))
  })

  afterEach(() => {
    journal?.close()
    journal = undefined
    rmSync(directory, { recursive: true })
  })

  function open(): Journal {
    journal = Journal.open(directory, identity)
    return journal
  }

  function reopen(): Journal {
    journal?.close()
    return open()
  }

  function refuses(action: () => unknown, code: JournalErrorCode): void {
    assert.throws(action, (error: unknown) => error instanceof JournalError && error.code === code)
  }

  it('numbers records from 0 and gives them back', () => {
    open().intend(intent(1))
    const record = current().record(intent(1), outcome)
    assert.equal(record.seq, 0n)
    assert.equal(record.dataHash, intent(1).request.inputHash)
    assert.deepEqual(reopen().records(0n, 10), [record])
    assert.equal(current().nextSeq, 1n)
  })

  it('knows an intent for ever', () => {
    assert.equal(open().knows(intent(1).requestHash), false)
    assert.equal(current().intend(intent(1)), true)
    assert.equal(current().intend(intent(1)), false)
    assert.equal(reopen().knows(intent(1).requestHash), true)
  })

  it('gives back intents without a record', () => {
    open().intend(intent(1))
    current().intend(intent(2))
    current().record(intent(1), outcome)
    assert.deepEqual(reopen().openIntents(), [intent(2)])
  })

  it('notes a denial once, with its intent', () => {
    assert.equal(open().deny(intent(1), 9)?.status, 9)
    assert.equal(current().deny(intent(1), 9), undefined)
    assert.equal(current().nextSeq, 1n)
    assert.deepEqual(current().openIntents(), [])
  })

  it('refuses a record without an intent, and a second one, and numbers on as if nothing had been', () => {
    assert.throws(() => open().record(intent(1), outcome))
    current().intend(intent(1))
    current().record(intent(1), outcome)
    assert.throws(() => current().record(intent(1), outcome))
    assert.equal(current().nextSeq, 1n)
  })

  it('refuses what is done without a result', () => {
    open().intend(intent(1))
    assert.throws(() => current().record(intent(1), { ...outcome, resultHash: `0x${'00'.repeat(32)}` }), RangeError)
  })

  it('follows a batch from signed to confirmed', () => {
    open().intend(intent(1))
    const batch = batchOver([current().record(intent(1), outcome)])
    current().addBatch(batch)
    assert.deepEqual(reopen().batchesFrom(0n), [{ ...batch, state: 'signed' }])
    current().markSent(batch.hash)
    assert.equal(current().batchWith(0n)?.state, 'sent')
    assert.equal(current().confirmedSeq(), 0n)
    current().markConfirmed({ ...batch, state: 'sent' }, 21n)
    assert.deepEqual(reopen().batchesUpTo(1n), [{ ...batch, state: 'confirmed', blockNumber: 21n }])
    assert.equal(current().confirmedSeq(), 1n)
  })

  it('drops the other attempts when one is confirmed', () => {
    open().intend(intent(1))
    const record = current().record(intent(1), outcome)
    current().addBatch(batchOver([record], 1))
    current().addBatch(batchOver([record], 2))
    current().markConfirmed({ ...batchOver([record], 1), state: 'sent' }, 21n)
    assert.deepEqual(
      current()
        .batchesFrom(0n)
        .map(({ state }) => state),
      ['confirmed', 'dropped'],
    )
  })

  it('drops all attempts of a nonce that was used up', () => {
    open().intend(intent(1))
    const record = current().record(intent(1), outcome)
    current().addBatch(batchOver([record], 1))
    current().addBatch({ ...batchOver([record], 2), nonce: 8n })
    current().markDropped(0n, 7n)
    assert.equal(current().batchWith(0n)?.nonce, 8n)
  })

  it('keeps the counter mark', () => {
    assert.equal(open().counterMark(), undefined)
    current().setCounterMark({ value: 4n, pending: true })
    assert.deepEqual(reopen().counterMark(), { value: 4n, pending: true })
  })

  it('lets nobody else read it', () => {
    open()
    assert.equal(statSync(join(directory, 'journal.sqlite')).mode & 0o077, 0)
  })

  it('refuses a second agent, and comes free when the first one closes', () => {
    open()
    refuses(() => Journal.open(directory, identity), 'JOURNAL_LOCKED')
    assert.equal(reopen().nextSeq, 0n)
  })

  it('refuses the journal of another host', () => {
    open().close()
    journal = undefined
    const other = { ...identity, hostId: `0x${'ab'.repeat(32)}` } as const
    refuses(() => Journal.open(directory, other), 'JOURNAL_OTHER_HOST')
    refuses(() => Journal.open(directory, { ...identity, chainId: 1n }), 'JOURNAL_OTHER_HOST')
  })

  it('refuses what is not a journal', () => {
    writeFileSync(join(directory, 'journal.sqlite'), 'something else, long enough to be looked at'.repeat(10))
    refuses(() => Journal.open(directory, identity), 'JOURNAL_UNREADABLE')
  })

  it('refuses a journal of another version', () => {
    const db = new DatabaseSync(join(directory, 'journal.sqlite'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    refuses(() => Journal.open(directory, identity), 'JOURNAL_UNREADABLE')
  })

  describe('after a process was killed', () => {
    async function killedAt(step: 'intent' | 'record' | 'signed'): Promise<Journal> {
      const entry = fileURLToPath(new URL('journal-child.ts', import.meta.url))
      const child = fork(entry, [directory, step])
      await once(child, 'message')
      child.kill('SIGKILL')
      await once(child, 'exit')
      return open()
    }

    it('holds the intent of an operation that had no end', async () => {
      const left = await killedAt('intent')
      assert.deepEqual(left.openIntents(), [intent(1)])
      assert.equal(left.nextSeq, 0n)
    })

    it('holds the record of an operation that ended', async () => {
      const left = await killedAt('record')
      assert.deepEqual(left.openIntents(), [])
      assert.equal(left.records(0n, 10)[0]?.requestHash, intent(1).requestHash)
      assert.deepEqual(left.batchesFrom(0n), [])
    })

    it('holds the bytes of a transaction that may have been sent', async () => {
      const left = await killedAt('signed')
      const batch = batchOver(left.records(0n, 10))
      assert.deepEqual(left.batchesFrom(0n), [{ ...batch, state: 'signed' }])
    })
  })

  /** The journal that is open. */
  function current(): Journal {
    if (journal === undefined) throw new Error('no journal is open')
    return journal
  }
})
