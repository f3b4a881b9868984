import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { stringify } from '../record/json.ts'
import { parseRecord } from '../record/parse.ts'
import type { OperationRecord } from '../record/record.ts'
import { JournalError } from './error.ts'
import type { Batch, CounterMark, Intent, JournalIdentity, Outcome } from './journal-entry.ts'
import { batchOf, intentOf, numberIn, recordOf, textIn, type Row } from './journal-row.ts'
import { SCHEMA, SCHEMA_VERSION } from './journal-schema.ts'

/**
 * What the agent must not forget, in SQLite (WAL, synchronous=FULL). A method that changes something is durable once it
 * returns, and has changed nothing where it throws. One process at a time: a second one is refused.
 */
export class Journal {
  readonly #db: DatabaseSync
  readonly #hostId: Hex
  #nextSeq: bigint

  private constructor(db: DatabaseSync, hostId: Hex) {
    this.#db = db
    this.#hostId = hostId
    this.#nextSeq = this.#number('SELECT max(seq) + 1 AS n FROM records') ?? 0n
  }

  /** Opens `journal.sqlite` in a directory; both are made where they are not there. @throws JournalError */
  static open(directory: string, identity: JournalIdentity): Journal {
    const path = join(directory, 'journal.sqlite')
    let db: DatabaseSync | undefined
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      // SQLite gives its other files the mode of this one.
      closeSync(openSync(path, 'a', 0o600))
      db = new DatabaseSync(path, { enableForeignKeyConstraints: true })
      // Exclusive before WAL: the lock is then held from the first access until the end, and there is no shared memory.
      db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
      prepareTables(db, identity)
      return new Journal(db, identity.hostId)
    } catch (cause) {
      db?.close()
      throw cause instanceof JournalError ? cause : openError(path, cause)
    }
  }

  /** The sequence number of the next record. */
  get nextSeq(): bigint {
    return this.#nextSeq
  }

  /** Whether a request was accepted or denied before. */
  knows(requestHash: Hex): boolean {
    return this.#row('SELECT 1 AS known FROM intents WHERE request_hash = ?', requestHash) !== undefined
  }

  /** Notes that an operation is about to be carried out. @returns false, and changes nothing, for a known request */
  intend(intent: Intent): boolean {
    const { requestHash, request, signature, requester, vmmHash, policyBlock, timestamp } = intent
    const { changes } = this.#db
      .prepare('INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING')
      .run(requestHash, stringify(request), signature, requester, vmmHash, policyBlock, timestamp)
    return Number(changes) === 1
  }

  /** Notes how an operation ended. The intent must be there, without a record. */
  record(intent: Intent, outcome: Outcome): OperationRecord {
    const record = recordOf(this.#hostId, this.#nextSeq, intent, outcome)
    this.#db.prepare('INSERT INTO records VALUES (?, ?, ?)').run(record.seq, record.requestHash, stringify(record))
    this.#nextSeq = record.seq + 1n
    return record
  }

  /** Notes a request and that it was denied, in one. @returns undefined, and changes nothing, for a known request */
  deny(intent: Intent, status: number): OperationRecord | undefined {
    return this.#transaction(() =>
      this.intend(intent)
        ? this.record(intent, { status, resultHash: ZERO_HASH, timestamp: intent.timestamp })
        : undefined,
    )
  }

  /** Intents without a record: under way in this process, or interrupted in an earlier one. */
  openIntents(): readonly Intent[] {
    return this.#rows(
      'SELECT * FROM intents WHERE request_hash NOT IN (SELECT request_hash FROM records) ORDER BY timestamp',
    ).map(intentOf)
  }

  /** Records from a sequence number on, in order. */
  records(firstSeq: bigint, limit: number): readonly OperationRecord[] {
    return this.#rows('SELECT record FROM records WHERE seq >= ? ORDER BY seq LIMIT ?', firstSeq, BigInt(limit)).map(
      (row) => parseRecord(JSON.parse(textIn(row, 'record'))),
    )
  }

  /** Notes a signed transaction, before anybody gets to see it. */
  addBatch(batch: Omit<Batch, 'state' | 'blockNumber'>): void {
    const { hash, raw, nonce, header } = batch
    const { firstSeq, count, root, prevHead, anchorBlock, nvCounter } = header
    this.#db
      .prepare(
        'INSERT INTO batches (hash, raw, nonce, first_seq, count, root, prev_head, anchor_block, nv_counter, state) ' +
          `VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'signed')`,
      )
      .run(hash, raw, nonce, firstSeq, count, root, prevHead, anchorBlock, nvCounter)
  }

  markSent(hash: Hex): void {
    this.#db.prepare(`UPDATE batches SET state = 'sent', block = NULL WHERE hash = ?`).run(hash)
  }

  /** Notes that a batch is on the ledger, so no other attempt at its records can be. */
  markConfirmed(batch: Batch, blockNumber: bigint): void {
    this.#transaction(() => {
      this.#db
        .prepare(`UPDATE batches SET state = 'dropped', block = NULL WHERE first_seq = ?`)
        .run(batch.header.firstSeq)
      this.#db.prepare(`UPDATE batches SET state = 'confirmed', block = ? WHERE hash = ?`).run(blockNumber, batch.hash)
    })
  }

  /** Notes that a nonce was used up without the records of `firstSeq` getting in. */
  markDropped(firstSeq: bigint, nonce: bigint): void {
    this.#db
      .prepare(`UPDATE batches SET state = 'dropped', block = NULL WHERE first_seq = ? AND nonce = ?`)
      .run(firstSeq, nonce)
  }

  /** All attempts at the records from `firstSeq` on, oldest first, also the dropped ones. */
  batchesFrom(firstSeq: bigint): readonly Batch[] {
    return this.#batches('WHERE first_seq = ?', firstSeq)
  }

  /** All attempts whose last record comes just before `seq`. */
  batchesUpTo(seq: bigint): readonly Batch[] {
    return this.#batches('WHERE first_seq + count = ?', seq)
  }

  /** The newest attempt at a record; undefined where none can get it onto the ledger yet. */
  batchWith(seq: bigint): Batch | undefined {
    return this.#batches(`WHERE ? BETWEEN first_seq AND first_seq + count - 1 AND state <> 'dropped'`, seq).at(-1)
  }

  /** The end of what is known to be on the ledger: the first sequence number that is not. */
  confirmedSeq(): bigint {
    return this.#number(`SELECT max(first_seq + count) AS n FROM batches WHERE state = 'confirmed'`) ?? 0n
  }

  /** Undefined in a new journal. */
  counterMark(): CounterMark | undefined {
    const row = this.#row('SELECT value, pending FROM counter')
    return row && { value: numberIn(row, 'value'), pending: numberIn(row, 'pending') === 1n }
  }

  setCounterMark({ value, pending }: CounterMark): void {
    this.#db.prepare('INSERT OR REPLACE INTO counter VALUES (1, ?, ?)').run(value, pending ? 1 : 0)
  }

  close(): void {
    this.#db.close()
  }

  #batches(where: string, parameter: bigint): readonly Batch[] {
    return this.#rows(`SELECT * FROM batches ${where} ORDER BY id`, parameter).map((row) => batchOf(this.#hostId, row))
  }

  #transaction<T>(change: () => T): T {
    const { nextSeq } = this
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const result = change()
      this.#db.exec('COMMIT')
      return result
    } catch (error) {
      this.#nextSeq = nextSeq
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  #number(sql: string): bigint | undefined {
    const value = this.#row(sql)?.['n']
    return typeof value === 'bigint' ? value : undefined
  }

  #row(sql: string, ...parameters: readonly (string | bigint)[]): Row | undefined {
    return this.#rows(sql, ...parameters)[0]
  }

  #rows(sql: string, ...parameters: readonly (string | bigint)[]): readonly Row[] {
    const statement = this.#db.prepare(sql)
    statement.setReadBigInts(true)
    return statement.all(...parameters) as Row[]
  }
}

const BUSY = 5

function prepareTables(db: DatabaseSync, { hostId, chainId, auditLog }: JournalIdentity): void {
  db.exec('BEGIN IMMEDIATE')
  const version = db.prepare('PRAGMA user_version').get()?.['user_version']
  if (version === 0) {
    db.exec(SCHEMA)
    db.prepare('INSERT INTO identity VALUES (1, ?, ?, ?)').run(hostId, chainId, auditLog)
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
  } else if (version !== SCHEMA_VERSION) {
    throw new JournalError(
      'JOURNAL_UNREADABLE',
      `the journal has version ${String(version)}, expected ${SCHEMA_VERSION}: use the Attestry that wrote it`,
    )
  }
  const identity = db.prepare('SELECT host_id, chain_id, audit_log FROM identity').get()
  db.exec('COMMIT')
  const found = [identity?.['host_id'], String(identity?.['chain_id']), identity?.['audit_log']].join(', ')
  const expected = [hostId, String(chainId), auditLog].join(', ')
  if (found !== expected) {
    throw new JournalError(
      'JOURNAL_OTHER_HOST',
      `the journal belongs to another host, chain or log: expected ${expected}; found ${found}`,
    )
  }
}

function openError(path: string, cause: unknown): JournalError {
  if ((cause as { errcode?: unknown }).errcode === BUSY) {
    return new JournalError('JOURNAL_LOCKED', `another agent has the journal ${path} open`, { cause })
  }
  return new JournalError('JOURNAL_UNREADABLE', `cannot open the journal ${path}: ${messageOf(cause)}`, { cause })
}
