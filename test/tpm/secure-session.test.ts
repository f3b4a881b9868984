import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startFaultProxy, type FaultProxy } from '../../hil/tpm-fault/proxy.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { toHex } from '../../src/core/bytes.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import { sha256Name } from '../../src/tpm/name.ts'
import { requireEk } from '../../src/tpm/secure-session.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { tpmError } from './suite.ts'
import { held } from './tss.ts'

const CLIENT = fileURLToPath(new URL('session-client.ts', import.meta.url))

describe('withSecureSession', () => {
  let dir: string
  let swtpm: StackProcess
  let direct: string
  let proxy: FaultProxy
  let tpm: Tpm
  let ek: { public: Uint8Array; certificate: Uint8Array }
  let ak: { public: Uint8Array; name: Uint8Array }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-session-'))
    await manufactureSwtpm(dir)
    ;({ process: swtpm, tcti: direct } = await startSwtpm(dir))
    proxy = await startFaultProxy(join(dir, 'swtpm.sock'), join(dir, 'p.sock'))
    tpm = new Tpm({ tcti: proxy.tcti, deadlineMs: 30_000 })
    ;[ek, ak] = [await tpm.endorsementKey(), await tpm.attestationKey()]
  })
  beforeEach(() => void proxy.recorded.splice(0))
  afterEach(() => {
    const { transient, sessions } = held(direct)
    assert.deepEqual([transient, sessions], [[], []])
  })
  after(async () => {
    await tpm.close()
    await proxy.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  const onTheWire = (secret: Uint8Array): boolean => Buffer.concat(proxy.recorded).includes(Buffer.from(secret))
  const client = async (what: string, ...bytes: readonly Uint8Array[]): Promise<string> => {
    const args = [CLIENT, proxy.tcti, what, ...bytes.map(toHex)]
    return (await promisify(execFile)(process.execPath, args)).stdout.trim()
  }

  it('keeps the secret of a credential activation off the wire', async () => {
    const secret = new Uint8Array(randomBytes(32))
    assert.deepEqual(await tpm.activateCredential(makeCredential(ek.public, ak.name, secret)), secret)
    assert.ok(proxy.seen.includes(0x147))
    assert.equal(onTheWire(secret), false)
  })

  it('keeps it off the wire by an EK on P-384, which needs no policy', async () => {
    const other = new Tpm({ tcti: proxy.tcti, deadlineMs: 30_000, ek: ['p-384'] })
    try {
      const [{ public: area }, secret] = [await other.endorsementKey(), new Uint8Array(randomBytes(32))]
      assert.deepEqual(await other.activateCredential(makeCredential(area, ak.name, secret)), secret)
      assert.equal(onTheWire(secret), false)
    } finally {
      await other.close()
    }
  })

  it('is needed: by a session that does not encrypt the secret is there in clear', async () => {
    const secret = new Uint8Array(randomBytes(32))
    const { credentialBlob, encryptedSecret } = makeCredential(ek.public, ak.name, secret)
    assert.equal(await client('activate in clear', credentialBlob, encryptedSecret), toHex(secret))
    assert.equal(onTheWire(secret), true)
  })

  it('keeps sealed data off the wire, which without it is there in clear', async () => {
    for (const [what, isSeen] of [
      ['seal in a session', false],
      ['seal in clear', true],
    ] as const) {
      const secret = new Uint8Array(randomBytes(32))
      assert.equal(await client(what, secret), toHex(secret))
      assert.equal(onTheWire(secret), isSeen, what)
    }
  })

  it('refuses to salt to a key that the software stack took for the EK', async () => {
    assert.equal(await client('salt to another key'), 'EK_MISMATCH')
  })

  it('notices an answer that was changed on its way', async () => {
    const secret = new Uint8Array(randomBytes(32))
    proxy.inject(0x147, { kind: 'flip', at: 0.3 }, { always: true })
    await assert.rejects(tpm.activateCredential(makeCredential(ek.public, ak.name, secret)), { name: 'TpmError' })
    proxy.clear()
    await tpm.readClock()
  })
})

describe('requireEk', () => {
  let dir: string
  let swtpm: StackProcess
  let tpm: Tpm

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-session-'))
    await manufactureSwtpm(dir)
    const started = await startSwtpm(dir)
    swtpm = started.process
    tpm = new Tpm({ tcti: started.tcti, deadlineMs: 30_000 })
  })
  after(async () => {
    await tpm.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  it('takes the EK of the certificate, and no other', async () => {
    const { public: area, certificate } = await tpm.endorsementKey()
    requireEk(area, certificate, sha256Name(area))
    const changed = area.map((byte, i) => (i === 100 ? byte ^ 1 : byte))
    assert.throws(() => requireEk(changed, certificate), tpmError('EK_MISMATCH'))
    assert.throws(() => requireEk(area, certificate, new Uint8Array(34)), tpmError('EK_MISMATCH'))
    assert.throws(() => requireEk(area, certificate.subarray(5)), tpmError('EK_CERTIFICATE_MALFORMED'))
  })
})
