import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { checkCounter, nextCounter } from '../../src/agent/counter.ts'
import { Journal } from '../../src/agent/journal.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { identity } from './journal-sample.ts'

describe('checkCounter', () => {
  let tpm: Tpm
  let directory: string
  let journal: Journal
  let value: bigint

  let swtpm: StackProcess
  let tpmDirectory: string

  before(async () => {
    tpmDirectory = mkdtempSync(join(tmpdir(), 'attestry-tpm-'))
    await manufactureSwtpm(tpmDirectory)
    const started = await startSwtpm(tpmDirectory)
    swtpm = started.process
    tpm = new Tpm({ tcti: started.tcti })
    for (let i = 0; i < 3; i++) await tpm.incrementCounter()
  })
  after(async () => {
    await tpm.close()
    await stopProcess(swtpm)
    rmSync(tpmDirectory, { recursive: true })
  })

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'attestry-counter-'))
    journal = Journal.open(directory, identity)
    value = await tpm.readCounter()
  })
  afterEach(() => {
    journal.close()
    rmSync(directory, { recursive: true })
  })

  it('takes the counter of a new journal as it stands', async () => {
    await checkCounter(journal, tpm)
    assert.deepEqual(journal.counterMark(), { value, pending: false })
  })

  it('accepts the counter that the journal knows', async () => {
    journal.setCounterMark({ value, pending: false })
    await checkCounter(journal, tpm)
  })

  it('accepts an increment that was begun, done or not', async () => {
    for (const mark of [value, value - 1n]) {
      journal.setCounterMark({ value: mark, pending: true })
      await checkCounter(journal, tpm)
      assert.deepEqual(journal.counterMark(), { value, pending: false })
    }
  })

  it('notices an increment that the journal does not know of', async () => {
    journal.setCounterMark({ value: value - 1n, pending: false })
    await assert.rejects(checkCounter(journal, tpm), { code: 'JOURNAL_ROLLED_BACK' })
    journal.setCounterMark({ value: value - 2n, pending: true })
    await assert.rejects(checkCounter(journal, tpm), { code: 'JOURNAL_ROLLED_BACK' })
  })

  it('notices a counter that went back', async () => {
    journal.setCounterMark({ value: value + 1n, pending: false })
    await assert.rejects(checkCounter(journal, tpm), { code: 'COUNTER_BEHIND' })
  })

  it('never lets the mark fall behind by more than one increment', async () => {
    await nextCounter(journal, tpm)
    // As after an increment that was carried out without an answer, twice.
    journal.setCounterMark({ value: value + 1n, pending: true })
    await tpm.incrementCounter()
    assert.equal(await nextCounter(journal, tpm), value + 3n)
    assert.deepEqual(journal.counterMark(), { value: value + 3n, pending: false })
    await checkCounter(journal, tpm)
  })
})
