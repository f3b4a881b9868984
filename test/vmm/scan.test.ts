import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isCurrent, scan } from '../../src/vmm/scan.ts'

describe('scan', () => {
  let dir: string

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-scan-'))
    await mkdir(join(dir, 'tree', 'b'), { recursive: true })
    await writeFile(join(dir, 'tree', 'b', 'inner'), 'one')
    await writeFile(join(dir, 'tree', 'b.ts'), 'two')
    await symlink('b.ts', join(dir, 'tree', 'a'))
    // Long ago, as far as stamps go: what was just written may be written again unseen by its stamp.
    await promisify(setTimeout)(60)
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  const tree = () => ({ name: 'tree', path: join(dir, 'tree') })
  const sha256 = (...parts: readonly (string | Buffer)[]) => {
    const hash = createHash('sha256')
    for (const part of parts) hash.update(part)
    return hash.digest()
  }
  const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex')

  it('hashes a directory as docs/formats.md says', async () => {
    const expected = sha256(
      ...[Buffer.of(2, 0, 1), 'a', Buffer.of(0, 4), 'b.ts', sha256('two')],
      ...[Buffer.of(0, 0, 1), 'b'],
      ...[Buffer.of(1, 0, 4), 'b.ts', sha256('two')],
      ...[Buffer.of(1, 0, 7), 'b/inner', sha256('one')],
    )
    assert.equal(hex((await scan(tree())).digests.get('tree')), hex(expected))
  })

  it('hashes a file, and the file that a link leads to, by its content', async () => {
    for (const path of ['tree/b.ts', 'tree/a']) {
      const { digests } = await scan({ name: 'file', path: join(dir, path) })
      assert.equal(hex(digests.get('file')), hex(sha256('two')))
    }
  })

  it('names each file where it is asked to', async () => {
    const { digests } = await scan({ ...tree(), perFile: true })
    assert.deepEqual([...digests.keys()], ['tree/a', 'tree/b.ts', 'tree/b/inner'])
  })

  it('takes of a directory only what is named so, and what is below that', async () => {
    const only = async (...patterns: string[]) => [...(await scan({ ...tree(), only: patterns })).digests.keys()]
    assert.deepEqual(await only('b'), ['tree/b/inner'])
    assert.deepEqual(await only('b*', 'x'), ['tree/b.ts', 'tree/b/inner'])
    assert.deepEqual(await only('inner'), [])
  })

  it('is current until something is written, added or removed', async () => {
    const first = await scan(tree())
    assert.ok(isCurrent(first))
    await writeFile(join(dir, 'tree', 'b', 'new'), '')
    assert.ok(!isCurrent(first))
    const second = await scan(tree(), first)
    assert.notEqual(hex(second.digests.get('tree')), hex(first.digests.get('tree')))
    await rm(join(dir, 'tree', 'b', 'new'))
    const third = await scan(tree(), second)
    assert.equal(hex(third.digests.get('tree')), hex(first.digests.get('tree')))
  })

  it('is not fooled by another content of the same length with the times set back', async () => {
    const path = join(dir, 'tree', 'b.ts')
    const { atime, mtime } = await stat(path)
    const first = await scan(tree())
    await writeFile(path, 'owt')
    await utimes(path, atime, mtime)
    assert.ok(!isCurrent(first))
    assert.notEqual(hex((await scan(tree(), first)).digests.get('tree')), hex(first.digests.get('tree')))
  })

  it('does not vouch for a file that was written a moment ago', async () => {
    const path = join(dir, 'tree', 'b.ts')
    await writeFile(path, 'now')
    assert.ok(!isCurrent(await scan({ name: 'file', path })))
  })

  it('finds nothing where nothing is', async () => {
    const { digests, problem } = await scan({ name: 'gone', path: join(dir, 'gone') })
    assert.equal(digests.size, 0)
    assert.equal(problem, undefined)
  })

  it('gives no digest to what has something else than files in it', async () => {
    await promisify(execFile)('mkfifo', [join(dir, 'tree', 'b', 'pipe')])
    const withPipe = await scan(tree())
    assert.equal(withPipe.problem?.code, 'COMPONENT_INVALID')
    assert.equal(withPipe.digests.size, 0)
    assert.ok(!isCurrent(withPipe))
    await rm(join(dir, 'tree', 'b', 'pipe'))
    await symlink('nowhere', join(dir, 'tree', 'b', 'link'))
    assert.equal((await scan(tree())).problem?.code, 'COMPONENT_INVALID')
  })
})
