import assert from 'node:assert/strict'
import { chmod, chown, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readPinFile } from '../../src/hsm/pin-file.ts'

describe('readPinFile', () => {
  let dir: string
  let path: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-pin-'))
    path = join(dir, 'pin')
  })
  beforeEach(async () => {
    await rm(path, { force: true })
    await writeFile(path, '', { mode: 0o600 })
  })
  after(() => rm(dir, { recursive: true }))

  for (const content of ['12ab', '12ab\n']) {
    it(`reads ${JSON.stringify(content)}`, async () => {
      await writeFile(path, content)
      assert.equal(Buffer.from(await readPinFile(path)).toString(), '12ab')
    })
  }

  it('reads through a link', async () => {
    await writeFile(path, '12ab')
    await symlink(path, join(dir, 'link'))
    assert.equal(Buffer.from(await readPinFile(join(dir, 'link'))).toString(), '12ab')
  })

  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601]) {
    it(`refuses the mode ${mode.toString(8)}`, async () => {
      await writeFile(path, '12ab')
      await chmod(path, mode)
      await assert.rejects(readPinFile(path), { name: 'Pkcs11Error', code: 'PIN_FILE_UNSAFE' })
    })
  }

  it('refuses a file of another user, who is not root', async function () {
    // Only root gives files away.
    if (process.getuid?.() !== 0) return this.skip()
    await writeFile(path, '12ab')
    await chown(path, 65534, 65534)
    await assert.rejects(readPinFile(path), { name: 'Pkcs11Error', code: 'PIN_FILE_UNSAFE' })
  })

  it('refuses what is no file', async () => {
    await assert.rejects(readPinFile(dir), { code: 'PIN_FILE_UNSAFE' })
  })

  for (const [what, content] of [
    ['nothing', ''],
    ['an empty line', '\n'],
    ['too much', '1'.repeat(4097)],
  ] as const) {
    it(`refuses a file with ${what}`, async () => {
      await writeFile(path, content)
      await assert.rejects(readPinFile(path), { code: 'PIN_FILE_INVALID' })
    })
  }

  it('says that the file is not there', async () => {
    await assert.rejects(readPinFile(join(dir, 'none')), { code: 'PIN_FILE_MISSING' })
  })
})
