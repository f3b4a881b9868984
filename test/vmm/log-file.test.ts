import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concat } from '../../src/core/bytes.ts'
import { encodeEvent, MAX_LOG_BYTES, MAX_LOG_RECORDS, type VmmEvent } from '../../src/tcg/canonical-event-log.ts'
import { MAX_EVENT_CONTENT } from '../../src/tcg/vmm-event.ts'
import { appendEvents, readVmmLog } from '../../src/vmm/log-file.ts'

describe('appendEvents', function () {
  this.timeout(60_000)
  let dir: string
  let path: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-log-'))
    path = join(dir, 'vmm.cel')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  const changed = (name: string): VmmEvent => ({ kind: 'changed', name, sha256: new Uint8Array(32) })
  const write = (count: number, name: string) => {
    const records = Array.from({ length: count }, (_, i) => encodeEvent(BigInt(i), 13, changed(name)))
    writeFileSync(path, Buffer.concat(records))
  }

  /** One more event can be appended, and a second one cannot; what is on disk then can still be read. */
  async function holdsOneMore(event: VmmEvent): Promise<void> {
    const log = await appendEvents(path, await readVmmLog(path), 13, [event])
    assert.deepEqual(await readVmmLog(path), log)
    const before = readFileSync(path)
    await assert.rejects(appendEvents(path, log, 13, [event]), { name: 'VmmError', code: 'LOG_FULL' })
    assert.deepEqual(readFileSync(path), before)
    assert.deepEqual(readdirSync(dir), ['vmm.cel'])
  }

  it('makes no log of more records than are read', async () => {
    write(MAX_LOG_RECORDS - 1, 'x')
    await holdsOneMore(changed('x'))
  })

  it('makes no log of more bytes than are read', async () => {
    const long = 'x'.repeat(4096)
    const { length } = encodeEvent(0n, 13, changed(long))
    assert.ok(length > MAX_EVENT_CONTENT)
    write(Math.floor(MAX_LOG_BYTES / length) - 1, long)
    await holdsOneMore(changed(long))
  })

  it('appends nothing of several events that do not all fit', async () => {
    write(MAX_LOG_RECORDS - 1, 'x')
    const log = await readVmmLog(path)
    await assert.rejects(appendEvents(path, log, 13, [changed('y'), changed('z')]), { code: 'LOG_FULL' })
    assert.deepEqual(concat(readFileSync(path)), log.bytes)
  })
})
