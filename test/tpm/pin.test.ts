import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startFaultProxy, type FaultProxy } from '../../hil/tpm-fault/proxy.ts'
import { powerCycle } from '../../hil/tpm-fault/power.ts'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { Writer } from '../../src/core/writer.ts'
import { nameOf } from '../../src/tcg/name.ts'
import { approvalMessage, authorizedPolicy, pcrPolicy } from '../../src/tcg/policy.ts'
import { approver, approverPublic, POLICY_REF } from '../../src/tpm/approver-key.ts'
import { PASSWORD } from '../../src/tpm/commands.ts'
import { openSealedPin, type PinReport } from '../../src/tpm/open-sealed-pin.ts'
import { approvePin, readPinApproval, writePinApproval } from '../../src/tpm/pin-approval.ts'
import type { PinErrorCode } from '../../src/tpm/pin-error.ts'
import { sealPinIn } from '../../src/tpm/pin-vault.ts'
import { RC, hasRc } from '../../src/tpm/rc.ts'
import { readSealedPin, writeSealedPin } from '../../src/tpm/sealed-pin.ts'
import { withStorageParent } from '../../src/tpm/storage-parent.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { held, withTss } from './tss.ts'

const SELECTION = { bank: 'sha256', pcrs: [0, 7, 13] } as const
const UNSEAL = 0x15e
const CREATE = 0x153
const MEASURED = sha256(new TextEncoder().encode('a VMM'))
const UPDATED = sha256(new TextEncoder().encode('the next VMM'))
const deadlineMs = 60_000

const pemOf = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()
const ecPair = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const refuses = (code: PinErrorCode) => ({ name: 'PinError', code })

describe('openSealedPin', function () {
  this.timeout(300_000)
  let dir: string
  let swtpm: StackProcess
  let direct: string
  let proxy: FaultProxy
  const pin = randomBytes(24).toString('hex')
  const team = ecPair()
  const signer = approver(pemOf(team.privateKey))
  let files = 0

  /** A directory of its own for some approvals. */
  const approvalsOf = async (...texts: readonly string[]): Promise<string> => {
    const approvals = join(dir, `approvals-${++files}`)
    await mkdir(approvals)
    await Promise.all(texts.map((text, i) => writeFile(join(approvals, `${i}.json`), text)))
    return approvals
  }
  const openWith = async (...texts: readonly string[]): Promise<PinReport> =>
    openSealedPin({
      ...{ tpm: { tcti: proxy.tcti, deadlineMs }, selection: SELECTION },
      ...{ sealed: join(dir, 'sealed.json'), approvals: await approvalsOf(...texts) },
    })
  const present = async (): Promise<ReadonlyMap<number, Uint8Array>> => {
    const tpm = new Tpm({ tcti: direct, deadlineMs })
    try {
      return await tpm.readPcrs(SELECTION)
    } finally {
      await tpm.close()
    }
  }
  const extend = (pcr: number, digest: Uint8Array): void =>
    withTss(direct, ({ commands }) => void commands.PCR_Extend(pcr, [PASSWORD], bank(digest)))
  const bank = (digest: Uint8Array) => new Writer().u32(1).u16(0x0b).bytes(digest).finish()
  /** Firmware and VMM as after each boot. */
  const boot = async (vmm = MEASURED): Promise<void> => {
    await powerCycle(join(dir, 'swtpm.sock'), true)
    for (const pcr of [0, 7]) extend(pcr, sha256(Uint8Array.of(pcr)))
    extend(13, vmm)
  }
  const seal = async (approverPem: string, of = proxy.tcti, file = 'sealed.json'): Promise<void> => {
    const bytes = () => Promise.resolve(new Uint8Array(Buffer.from(pin)))
    const sealed = await sealPinIn({ tcti: of, deadlineMs }, bytes, approverPublic(approverPem), await ekNameOf(of))
    await writeFile(join(dir, file), writeSealedPin(sealed), { mode: 0o600 })
  }
  const ekNameOf = async (tcti: string): Promise<Uint8Array> => {
    const tpm = new Tpm({ tcti, deadlineMs })
    try {
      return nameOf((await tpm.endorsementKey()).public)
    } finally {
      await tpm.close()
    }
  }
  const approved = async (of = signer): Promise<string> => writePinApproval(approvePin(of, SELECTION, await present()))
  const isRefused = ({ approval, refusal }: PinReport, code: PinErrorCode): void => {
    assert.equal(approval, undefined)
    assert.equal(refusal?.code, code)
    assert.equal(refusal.message.includes(pin), false)
  }

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-pin-'))
    await manufactureSwtpm(dir)
    ;({ process: swtpm, tcti: direct } = await startSwtpm(dir))
    proxy = await startFaultProxy(join(dir, 'swtpm.sock'), join(dir, 'p.sock'))
    await boot()
    await seal(pemOf(team.publicKey))
  })
  afterEach(() => {
    const { transient, sessions } = held(direct)
    assert.deepEqual([transient, sessions], [[], []])
  })
  after(async () => {
    await proxy.close()
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  it('opens under an approved VMM, not under another one, and again after a power cycle', async () => {
    const approval = await approved()
    assert.match((await openWith(approval)).approval ?? '', /0\.json$/)
    extend(13, randomBytes(32))
    const other = await openWith(approval)
    isRefused(other, 'PIN_NOT_APPROVED')
    assert.match(other.approvals[0]?.detail ?? '', /PCR 13$/)
    await boot()
    assert.match((await openWith(approval)).approval ?? '', /0\.json$/)
  })

  it('stays sealed where nothing was measured, whatever the key has signed', async () => {
    await powerCycle(join(dir, 'swtpm.sock'), true)
    for (const pcr of [0, 7]) extend(pcr, sha256(Uint8Array.of(pcr)))
    const values = await present()
    const signature = signer.sign(pcrPolicy(SELECTION, values))
    const own = { selection: SELECTION, values, signer: nameOf(signer.public), signature }
    const found = await openWith(writePinApproval(own))
    isRefused(found, 'PIN_NOT_APPROVED')
    assert.match(found.approvals[0]?.detail ?? '', /^PCR 13 was never extended: run "attestry measure" first$/)
    await boot()
  })

  it('survives an update that was approved before it, with the same sealed object', async () => {
    const before = await present()
    const next = new Map(before).set(13, sha256(Buffer.concat([new Uint8Array(32), UPDATED])))
    const texts = [await approved(), writePinApproval(approvePin(signer, SELECTION, next))]
    const sealed = await readFile(join(dir, 'sealed.json'))
    await boot(UPDATED)
    assert.match((await openWith(...texts)).approval ?? '', /1\.json$/)
    isRefused(await openWith(texts[0] ?? ''), 'PIN_NOT_APPROVED')
    assert.deepEqual(await readFile(join(dir, 'sealed.json')), sealed)
    await boot()
    assert.match((await openWith(...texts)).approval ?? '', /0\.json$/)
  })

  it('opens by an approval of an RSA-2048 key', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await seal(pemOf(rsa.publicKey))
    assert.equal((await openWith(await approved(approver(pemOf(rsa.privateKey))))).refusal, undefined)
    isRefused(await openWith(await approved()), 'APPROVAL_SIGNATURE')
    await seal(pemOf(team.publicKey))
  })

  it('refuses an approval that another key has signed', async () => {
    isRefused(await openWith(await approved(approver(pemOf(ecPair().privateKey)))), 'APPROVAL_SIGNATURE')
  })

  it('refuses an approval with an altered byte', async () => {
    const approval = JSON.parse(await approved()) as { signature: string; pcrs: Record<string, string> }
    const flip = (hex: string) => hex.slice(0, -1) + (hex.endsWith('0') ? '1' : '0')
    const { signature, pcrs } = approval
    isRefused(await openWith(JSON.stringify({ ...approval, signature: flip(signature) })), 'APPROVAL_SIGNATURE')
    const moved = { ...pcrs, 7: flip(pcrs['7'] ?? '') }
    isRefused(await openWith(JSON.stringify({ ...approval, pcrs: moved })), 'PIN_NOT_APPROVED')
    // Of another VMM, to which the present values were written.
    const other = new Map(await present()).set(13, randomBytes(32))
    const forged = JSON.parse(writePinApproval(approvePin(signer, SELECTION, other))) as object
    isRefused(await openWith(JSON.stringify({ ...forged, pcrs })), 'APPROVAL_SIGNATURE')
  })

  it('refuses an approval for another purpose, whatever the file says', async () => {
    const values = await present()
    const approval = JSON.parse(await approved()) as object
    isRefused(await openWith(JSON.stringify({ ...approval, policyRef: 'attestry/pin/2' })), 'APPROVAL_PURPOSE')
    const { sign } = await import('node:crypto')
    const message = approvalMessage(pcrPolicy(SELECTION, values), new TextEncoder().encode('attestry/pin/2'))
    const signature = sign('sha256', message, { key: team.privateKey, dsaEncoding: 'ieee-p1363' }).toString('hex')
    isRefused(await openWith(JSON.stringify({ ...approval, signature: `0x${signature}` })), 'APPROVAL_SIGNATURE')
  })

  it('refuses an approval for other PCRs, though the key has signed it', async () => {
    const values = await present()
    const fewer = { ...SELECTION, pcrs: [13] }
    const text = writePinApproval(approvePin(signer, fewer, values))
    isRefused(await openWith(text), 'APPROVAL_SELECTION')
  })

  it('says what is no approval, and opens by another one beside it', async () => {
    isRefused(await openWith(), 'PIN_NOT_APPROVED')
    isRefused(await openWith('{'), 'APPROVAL_INVALID')
    const report = await openWith('[]', await approved())
    assert.deepEqual(
      report.approvals.map(({ status }) => status),
      ['APPROVAL_INVALID', 'opens'],
    )
  })

  it('refuses a sealed PIN that was damaged', async () => {
    const path = join(dir, 'sealed.json')
    const whole = await readFile(path, 'utf8')
    const sealed = readSealedPin(Buffer.from(whole))
    const approval = await approved()
    try {
      const blob = sealed.private.map((byte, i) => (i === 60 ? byte ^ 1 : byte))
      await writeFile(path, writeSealedPin({ ...sealed, private: blob }))
      await assert.rejects(openWith(approval), refuses('PIN_DAMAGED'))
      const area = sealed.public.map((byte, i) => (i === 12 ? byte ^ 1 : byte))
      await writeFile(path, writeSealedPin({ ...sealed, public: area }))
      await assert.rejects(openWith(approval), refuses('SEALED_PIN_INVALID'))
      // An object that other people's approvals open is not the one that was sealed.
      const mallory = approverPublic(pemOf(ecPair().publicKey))
      await writeFile(path, writeSealedPin({ ...sealed, approver: mallory }))
      await assert.rejects(openWith(approval), refuses('SEALED_PIN_INVALID'))
    } finally {
      await writeFile(path, whole)
    }
  })

  it('refuses a sealed PIN that was moved to another TPM, also where the file says it were its own', async () => {
    const other = await mkdtemp(join(tmpdir(), 'attestry-pin-'))
    const whole = await readFile(join(dir, 'sealed.json'), 'utf8')
    try {
      await manufactureSwtpm(other)
      const { process: running, tcti } = await startSwtpm(other)
      try {
        await seal(pemOf(team.publicKey), tcti, 'elsewhere.json')
        const elsewhere = readSealedPin(await readFile(join(dir, 'elsewhere.json')))
        await writeFile(join(dir, 'sealed.json'), writeSealedPin(elsewhere))
        const approval = await approved()
        await assert.rejects(openWith(approval), refuses('PIN_OTHER_TPM'))
        const { ek } = readSealedPin(Buffer.from(whole))
        await writeFile(join(dir, 'sealed.json'), writeSealedPin({ ...elsewhere, ek }))
        await assert.rejects(openWith(approval), refuses('PIN_DAMAGED'))
      } finally {
        await stopProcess(running)
      }
    } finally {
      await writeFile(join(dir, 'sealed.json'), whole)
      await rm(other, { recursive: true, force: true })
    }
  })

  it('is sealed to no EK but the one that was verified', async () => {
    const bytes = () => Promise.resolve(new Uint8Array(Buffer.from(pin)))
    const other = (await ekNameOf(direct)).map((byte, i) => (i === 33 ? byte ^ 1 : byte))
    proxy.seen.splice(0)
    await assert.rejects(
      sealPinIn({ tcti: proxy.tcti, deadlineMs }, bytes, approverPublic(pemOf(team.publicKey)), other),
      { name: 'TpmError', code: 'EK_MISMATCH' },
    )
    assert.equal(proxy.seen.includes(CREATE), false)
  })

  it('cannot be opened with the empty authorisation value, nor by PolicyPCR alone', async () => {
    const sealed = readSealedPin(await readFile(join(dir, 'sealed.json')))
    const sized = (bytes: Uint8Array) => new Writer().sized16(bytes).finish()
    withTss(direct, (tss) => {
      const { commands } = tss
      withStorageParent(tss, (parent) => {
        const [object] = commands.Load(parent, [PASSWORD], sized(sealed.private), sized(sealed.public))
        assert.throws(
          () => commands.Unseal(object, [PASSWORD]),
          (error) => hasRc(error, 0x12f),
        )
        const [session] = commands.StartAuthSession(0xfff, 0xfff, [], null, 1, Uint8Array.of(0, 0x10), 0x0b)
        assert.throws(
          () => commands.Unseal(object, [session]),
          (error) => hasRc(error, RC.POLICY_FAIL),
        )
        commands.FlushContext(session)
        commands.FlushContext(object)
      })
    })
  })

  it('keeps the PIN off the wire, in both directions', async () => {
    const approval = await approved()
    proxy.recorded.splice(0)
    proxy.seen.splice(0)
    await seal(pemOf(team.publicKey))
    assert.equal((await openWith(approval)).refusal, undefined)
    assert.ok(proxy.seen.includes(CREATE) && proxy.seen.includes(UNSEAL))
    assert.equal(Buffer.concat(proxy.recorded).includes(pin), false)
  })

  it('says so where the PCRs move between the policy and the opening', async () => {
    const approval = await approved()
    const POLICY_AUTHORIZE = 0x16a
    proxy.inject(POLICY_AUTHORIZE, { kind: 'before answer', act: () => extend(13, randomBytes(32)) })
    await assert.rejects(openWith(approval), refuses('PIN_NOT_APPROVED'))
    assert.ok(proxy.clear())
    await boot()
  })

  it('says that the TPM is gone', async () => {
    const place = { selection: SELECTION, sealed: join(dir, 'sealed.json'), approvals: await approvalsOf() }
    const tpm = { tcti: `swtpm:path=${join(dir, 'nobody.sock')}`, deadlineMs }
    await assert.rejects(openSealedPin({ ...place, tpm }), { name: 'TpmError', code: 'TCTI_UNREACHABLE' })
  })
})

describe('authorizedPolicy', () => {
  it('is what the sealed object has, and changes with key and purpose', () => {
    const [one, other] = [approverPublic(pemOf(ecPair().publicKey)), approverPublic(pemOf(ecPair().publicKey))]
    const of = (key: Uint8Array, ref = POLICY_REF) => Buffer.from(authorizedPolicy(nameOf(key), ref)).toString('hex')
    assert.equal(new Set([of(one), of(other), of(one, new Uint8Array())]).size, 3)
  })
})

describe('approvePin', () => {
  const signer = approver(pemOf(ecPair().privateKey))
  const values = new Map([0, 7, 13, 16].map((pcr) => [pcr, new Uint8Array(32).fill(pcr + 1)]))

  it('refuses PCRs that prove nothing', () => {
    for (const pcrs of [[], [13, 16], [13, 7]]) {
      assert.throws(() => approvePin(signer, { bank: 'sha256', pcrs }, values), refuses('PCRS_INVALID'))
    }
    const zero = new Map(values).set(0, new Uint8Array(32))
    assert.throws(() => approvePin(signer, SELECTION, zero), refuses('PCRS_INVALID'))
    const unmeasured = new Map(values).set(13, new Uint8Array(32))
    assert.throws(() => approvePin(signer, SELECTION, unmeasured), {
      code: 'PCRS_INVALID',
      message: 'PCR 13 was never extended: run "attestry measure" first',
    })
    const launched = { bank: 'sha256', pcrs: [0, 17] } as const
    const ones = new Map(values).set(17, new Uint8Array(32).fill(0xff))
    assert.throws(() => approvePin(signer, launched, ones), refuses('PCRS_INVALID'))
    assert.throws(() => approvePin(signer, { bank: 'sha256', pcrs: [2] }, values), refuses('PCRS_INVALID'))
  })

  it('gives a file that is read back the same', () => {
    const approval = approvePin(signer, SELECTION, values)
    assert.deepEqual(readPinApproval(Buffer.from(writePinApproval(approval)), SELECTION), approval)
  })
})

describe('approverPublic', () => {
  it('refuses a private key, and keys that are neither P-256 nor RSA-2048', () => {
    const { privateKey } = ecPair()
    assert.throws(() => approverPublic(pemOf(privateKey)), refuses('APPROVER_KEY_INVALID'))
    const others = [
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('ed25519'),
    ]
    for (const { publicKey, privateKey: key } of others) {
      assert.throws(() => approverPublic(pemOf(publicKey)), refuses('APPROVER_KEY_INVALID'))
      assert.throws(() => approver(pemOf(key)), refuses('APPROVER_KEY_INVALID'))
    }
    assert.throws(() => approverPublic('nonsense'), refuses('APPROVER_KEY_INVALID'))
  })
})
