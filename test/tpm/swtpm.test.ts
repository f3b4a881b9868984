import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exchange } from '../../hil/tpm-fault/proxy.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { DeviceError } from '../../src/device/error.ts'
import { AK_TEMPLATE } from '../../src/tpm/ak-template.ts'
import { OWNER, PASSWORD } from '../../src/tpm/commands.ts'
import { encodeEndorsementTemplate, ENDORSEMENT_TEMPLATES } from '../../src/tcg/endorsement-template.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import { Tpm, type TpmConfig } from '../../src/tpm/tpm.ts'
import { tpmError, tpmSuite } from './suite.ts'
import { startSwtpmProxy, type SwtpmProxy } from './swtpm-proxy.ts'
import { createPrimary, held, withTss } from './tss.ts'

const PCR_0 = { bank: 'sha256', pcrs: [0] } as const
const POLICY_SECRET = 0x151
const PCR_READ = 0x17e

describe('Tpm on swtpm', () => {
  let dir: string
  let tcti: string
  let swtpm: StackProcess
  const tpms: Tpm[] = []

  const open = (config: Partial<TpmConfig> = {}): Tpm => {
    const tpm = new Tpm({ tcti, ...config })
    tpms.push(tpm)
    return tpm
  }
  const start = async (of = dir): Promise<void> => {
    ;({ process: swtpm, tcti } = await startSwtpm(of))
  }
  const kill = (pid: number | undefined): void => {
    assert.ok(pid !== undefined)
    process.kill(pid, 'SIGKILL')
  }

  const withProxy = async (work: (proxy: SwtpmProxy) => Promise<void>): Promise<void> => {
    const proxy = await startSwtpmProxy(join(dir, 'swtpm.sock'), join(dir, 'proxy.sock'))
    try {
      await work(proxy)
    } finally {
      await proxy.close()
    }
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-tpm-'))
    await manufactureSwtpm(dir)
    await start()
  })
  afterEach(() => Promise.all(tpms.splice(0).map((tpm) => tpm.close())))
  after(async () => {
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  it('has a counter of 0 before the first increment, and makes none to read it', async () => {
    assert.equal(await open().readCounter(), 0n)
    assert.deepEqual(held(tcti).nv.includes(0x01800a77), false)
  })

  describe('as each TPM', () => {
    let tpm: Tpm
    before(() => (tpm = new Tpm({ tcti })))
    after(() => tpm.close())
    tpmSuite(() => ({ tpm, tcti, other: open }))
  })

  it('finds its AK again after a restart of the device process and of the TPM', async () => {
    const ak = await open().attestationKey()
    assert.deepEqual(await open().attestationKey(), ak)
    await stopProcess(swtpm)
    await start()
    assert.deepEqual(await open().attestationKey(), ak)
    assert.ok(held(tcti).persistent.includes(0x81018f00))
  })

  it('makes the same AK again where it was removed', async () => {
    const ak = await open().attestationKey()
    withTss(tcti, ({ commands }) => {
      const [handle] = commands.TR_FromTPMPublic(0x81018f00, [])
      commands.EvictControl(OWNER, handle, [PASSWORD], 0x81018f00)
    })
    assert.ok(!held(tcti).persistent.includes(0x81018f00))
    assert.deepEqual(await open().attestationKey(), ak)
  })

  it('refuses an AK of the owner hierarchy, whose quotes hide the reset count', async () => {
    withTss(tcti, ({ commands }) => {
      const [key] = createPrimary(commands, OWNER, AK_TEMPLATE)
      commands.EvictControl(OWNER, key, [PASSWORD], 0x81000123)
      commands.FlushContext(key)
    })
    await assert.rejects(open({ akHandle: 0x81000123 }).attestationKey(), tpmError('AK_UNSUITABLE'))
    await assert.rejects(open({ akHandle: 0x81000123 }).quote(PCR_0, new Uint8Array()), tpmError('AK_UNSUITABLE'))
  })

  it('refuses a bank that the TPM has not allocated', async () => {
    await assert.rejects(open().readPcrs({ bank: 'sha384', pcrs: [0] }), tpmError('PCR_NOT_ALLOCATED'))
  })

  it('reads the banks of a TPM that has all of them, from one moment', async () => {
    const other = await mkdtemp(join(tmpdir(), 'attestry-banks-'))
    await mkdir(join(other, 'state'))
    const allocate = ['--tpm2', '--tpmstate', join(other, 'state'), '--pcr-banks', 'sha1,sha256,sha384,sha512']
    execFileSync('swtpm_setup', allocate, { stdio: 'ignore' })
    const { process: running, tcti: of } = await startSwtpm(other)
    try {
      const banks = await open({ tcti: of }).readPcrBanks()
      assert.deepEqual(
        Array.from(banks, ([bank, values]) => [bank, values.size, values.get(23)?.length]),
        [
          ['sha1', 24, 20],
          ['sha256', 24, 32],
          ['sha384', 24, 48],
          ['sha512', 24, 64],
        ],
      )
    } finally {
      await Promise.all(tpms.splice(0).map((tpm) => tpm.close()))
      await stopProcess(running)
      await rm(other, { recursive: true, force: true })
    }
  })

  it('never counts backwards, though the device process is killed', async () => {
    const tpm = open()
    let last = await tpm.incrementCounter()
    for (let i = 0; i < 3; i++) {
      const incrementing = tpm.incrementCounter().catch(() => undefined)
      kill(tpm.pid)
      await incrementing
      assert.ok((await tpm.readCounter()) >= last)
      const next = await tpm.incrementCounter()
      assert.ok(next > last)
      last = next
    }
  })

  it('flushes what a killed process has left in the TPM', async () => {
    withTss(tcti, ({ commands }) => {
      createPrimary(commands, OWNER, AK_TEMPLATE)
      commands.StartAuthSession(0xfff, 0xfff, [], null, 1, Uint8Array.of(0, 0x10), 0x0b)
    })
    // TPM2_HashSequenceStart of SHA-256 (TPM 2.0 Part 3, 17.3): a sequence has no public area to be read.
    const begun = await exchange(join(dir, 'swtpm.sock'), Buffer.from('80010000000e000001860000000b', 'hex'))
    assert.equal(begun.readUInt32BE(6), 0)
    assert.deepEqual([held(tcti).transient.length, held(tcti).sessions.length], [2, 1])
    await open().readClock()
    assert.deepEqual([held(tcti).transient, held(tcti).sessions], [[], []])
  })

  it('goes on after the device process was killed in the middle of a credential activation', async () => {
    await withProxy(async (proxy) => {
      const tpm = open({ tcti: proxy.tcti })
      const [ek, ak] = [await tpm.endorsementKey(), await tpm.attestationKey()]
      const secret = new Uint8Array(randomBytes(32))
      const challenge = makeCredential(ek.public, ak.name, secret)
      for (let i = 0; i < 4; i++) {
        const stalled = proxy.stallOn(POLICY_SECRET)
        const activation = assert.rejects(tpm.activateCredential(challenge), { name: 'DeviceError', code: 'DIED' })
        await stalled
        kill(tpm.pid)
        await activation
        await proxy.idle()
        assert.equal(held(tcti).sessions.length, 1)
      }
      assert.deepEqual(await tpm.activateCredential(challenge), secret)
      await proxy.idle()
      assert.deepEqual([held(tcti).transient, held(tcti).sessions], [[], []])
    })
  })

  it('reads all PCRs anew where one moved between two parts, and says so when they never rest', async () => {
    const pcrs = Array.from({ length: 16 }, (_, i) => i)
    await withProxy(async (proxy) => {
      const tpm = open({ tcti: proxy.tcti })
      let moves = 3
      const extendTwoParts = () => {
        if (moves-- <= 0) return
        withTss(tcti, ({ commands }) => {
          for (const pcr of [0, 13]) {
            commands.PCR_Extend(pcr, [PASSWORD], Uint8Array.of(0, 0, 0, 1, 0, 0x0b, ...randomBytes(32)))
          }
        })
      }
      proxy.beforeAnswer(PCR_READ, extendTwoParts)
      const values = await tpm.readPcrs({ bank: 'sha256', pcrs })
      assert.equal(moves < 0, true)
      assert.deepEqual(await open().readPcrs({ bank: 'sha256', pcrs }), values)

      moves = 3
      assert.deepEqual((await tpm.readPcrBanks()).get('sha256')?.size, 24)
      assert.equal(moves < 0, true)

      moves = Infinity
      await assert.rejects(tpm.readPcrBanks(), tpmError('PCRS_MOVING'))
      await assert.rejects(tpm.readPcrs({ bank: 'sha256', pcrs }), tpmError('PCRS_MOVING'))
      assert.equal((await tpm.readPcrs(PCR_0)).size, 1)
    })
  })

  it('gives up on a TPM that does not answer, and goes on when it does', async () => {
    const tpm = open({ deadlineMs: 2000 })
    await whenReady(() => tpm.readClock())
    process.kill(swtpm.pid, 'SIGSTOP')
    try {
      await assert.rejects(tpm.readClock(), { name: 'DeviceError', code: 'DEADLINE' })
    } finally {
      process.kill(swtpm.pid, 'SIGCONT')
    }
    assert.equal((await whenReady(() => tpm.readPcrs(PCR_0))).size, 1)
  })

  it('says that the TPM is not running, and goes on when it is', async () => {
    await stopProcess(swtpm)
    const tpm = open()
    await assert.rejects(tpm.readClock(), tpmError('TCTI_UNREACHABLE'))
    await assert.rejects(tpm.quote(PCR_0, new Uint8Array()), tpmError('TCTI_UNREACHABLE'))
    await start()
    await tpm.readClock()
  })

  it('says that the TPM is gone, and goes on when it is back', async () => {
    const tpm = open()
    const ak = await tpm.attestationKey()
    const { resetCount } = await tpm.readClock()
    const { pid } = tpm
    await stopProcess(swtpm)
    await assert.rejects(tpm.quote(PCR_0, new Uint8Array()), tpmError('TCTI_UNREACHABLE'))
    await start()
    assert.deepEqual(await tpm.attestationKey(), ak)
    assert.ok((await tpm.readClock()).resetCount > resetCount)
    assert.equal(tpm.pid, pid)
  })

  it('refuses what is no TCTI, or one that runs programs', async () => {
    for (const bad of ['swtpm:nonsense', 'cmd:/bin/true']) {
      await assert.rejects(open({ tcti: bad }).readClock(), tpmError('TCTI_INVALID'), bad)
    }
    await assert.rejects(open({ tcti: 'device:/nonexistent' }).readClock(), tpmError('TCTI_UNREACHABLE'))
  })

  describe('that nobody has manufactured', () => {
    let blank: string

    before(async () => {
      await stopProcess(swtpm)
      blank = await mkdtemp(join(tmpdir(), 'attestry-tpm-'))
      await mkdir(join(blank, 'state'))
      await start(blank)
    })
    after(async () => {
      await stopProcess(swtpm)
      await rm(blank, { recursive: true, force: true })
    })

    it('has no EK certificate', async () => {
      await assert.rejects(open().endorsementKey(), tpmError('EK_CERTIFICATE_MISSING'))
    })

    it('refuses an EK certificate that is none', async () => {
      await open({ nvIndex: 0x01c00002 }).incrementCounter()
      await assert.rejects(open().endorsementKey(), tpmError('EK_CERTIFICATE_MALFORMED'))
    })

    it('activates credentials with an EK that is made for the time being', async () => {
      const tpm = open()
      const ekPublic = withTss(tcti, ({ commands }) => {
        const [key, tpm2bPublic] = createPrimary(
          commands,
          0x10b,
          encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1']),
        )
        commands.FlushContext(key)
        return tpm2bPublic.subarray(2)
      })
      const secret = new Uint8Array(randomBytes(32))
      const { name } = await tpm.attestationKey()
      assert.deepEqual(await tpm.activateCredential(makeCredential(ekPublic, name, secret)), secret)
      assert.deepEqual([held(tcti).transient, held(tcti).sessions], [[], []])
    })
  })
})

/** Asks until the device process has started, which on a busy machine may take longer than its deadline. */
async function whenReady<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof DeviceError)) throw error
    }
  }
}
