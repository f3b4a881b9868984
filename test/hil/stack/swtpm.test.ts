import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning, stopProcess } from '../../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm, swtpmTrustAnchors } from '../../../hil/stack/swtpm.ts'
import { Tpm } from '../../../src/tpm/tpm.ts'

describe('swtpm of the local stack', () => {
  let dir: string
  before(async () => (dir = await mkdtemp(join(tmpdir(), 'attestry-swtpm-'))))
  after(() => rm(dir, { recursive: true, force: true }))

  it('has an EK certificate from the certification authority in its own directory', async () => {
    await manufactureSwtpm(dir)
    const { process, tcti } = await startSwtpm(dir)
    const tpm = new Tpm({ tcti })
    try {
      const certificate = new X509Certificate((await tpm.endorsementKey()).certificate)
      const anchors = await Promise.all(swtpmTrustAnchors(dir).map((path) => readFile(path)))
      const [issuer, root] = anchors.map((pem) => new X509Certificate(pem))
      assert.ok(issuer !== undefined && root !== undefined)
      assert.ok(certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey))
      assert.ok(issuer.checkIssued(root) && issuer.verify(root.publicKey))
    } finally {
      await tpm.close()
      await stopProcess(process)
    }
  })

  it('is kept by a second manufacture', async () => {
    const state = join(dir, 'state', 'tpm2-00.permall')
    await manufactureSwtpm(dir)
    const before = await readFile(state)
    await manufactureSwtpm(dir)
    assert.deepEqual(await readFile(state), before)
  })

  it('refuses a directory whose path is too long for a socket', async () => {
    await assert.rejects(startSwtpm(join(dir, 'x'.repeat(100))), /at most 107 bytes/)
  })

  it('says that it cannot start, and leaves the other one alone, where one runs on its state', async () => {
    await manufactureSwtpm(dir)
    const { process } = await startSwtpm(dir)
    try {
      await assert.rejects(startSwtpm(dir), /swtpm/)
      assert.ok(isRunning(process))
    } finally {
      await stopProcess(process)
    }
  })
})
