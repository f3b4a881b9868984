import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromHex } from '../../src/core/bytes.ts'
import { keyFileSigner } from '../../src/ledger/signer.ts'
import { signerOf } from '../../src/record/eip712.ts'
import { hash, keyFile } from './local-ledger.ts'

describe('keyFileSigner', () => {
  let dir: string

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-keys-'))
  })

  after(() => rm(dir, { recursive: true }))

  it('signs digests with the key of the file', async () => {
    const signer = await keyFileSigner(await keyFile(dir, 'good'))
    const signature = await signer.signDigest(fromHex(hash(7), 32))
    assert.match(signature, /^0x[0-9a-f]{128}(?:1b|1c)$/)
    assert.equal(signerOf(hash(7), signature), signer.address)
  })

  it('refuses a file that others can read', async () => {
    const path = await keyFile(dir, 'unsafe')
    for (const mode of [0o604, 0o640, 0o620, 0o601]) {
      await chmod(path, mode)
      await assert.rejects(keyFileSigner(path), { code: 'KEY_FILE_UNSAFE', message: /chmod 600/ })
    }
  })

  it('refuses a file of another user', async function () {
    // Only root gives files away.
    if (process.getuid?.() !== 0) return this.skip()
    const path = await keyFile(dir, 'given-away')
    await chown(path, 65534, 65534)
    await assert.rejects(keyFileSigner(path), { code: 'KEY_FILE_UNSAFE', message: /found one of user 65534$/ })
  })

  it('refuses what holds no key, and never repeats it', async () => {
    const order = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'
    for (const text of ['', 'ab'.repeat(31), `${'ab'.repeat(32)} x`, 'zz'.repeat(32), '00'.repeat(32), order]) {
      const path = join(dir, 'bad')
      await writeFile(path, text, { mode: 0o600 })
      await assert.rejects(keyFileSigner(path), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'KEY_FILE_INVALID')
        assert.ok(text === '' || !error.message.includes(text))
        assert.equal(error.cause, undefined)
        return true
      })
    }
    assert.equal((await readFile(join(dir, 'bad'), 'utf8')).length, 64)
  })

  it('refuses what is not a file: nothing, a directory, a pipe', async () => {
    const directory = join(dir, 'directory')
    const pipe = join(dir, 'pipe')
    await mkdir(directory, { mode: 0o700 })
    execFileSync('mkfifo', ['-m', '600', pipe])
    for (const path of [join(dir, 'missing'), directory, pipe]) {
      await assert.rejects(keyFileSigner(path), { code: 'KEY_FILE_INVALID' }, path)
    }
  })
})
