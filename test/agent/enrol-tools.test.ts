import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { challengeHost } from '../../src/agent/challenge-host.ts'
import { challengeSeal, sealKey } from '../../src/agent/enrol-hash.ts'
import { secondsOf } from '../../src/agent/registrar.ts'
import { requestEnrolment } from '../../src/agent/request-enrolment.ts'
import { fromHex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import { DEFAULT_AK_HANDLE } from '../../src/tpm/tpm.ts'
import { EnrolRig, type TpmRig } from './enrol-rig.ts'

const EK_HANDLE = '0x81010001'
const AK_HANDLE = `0x${DEFAULT_AK_HANDLE.toString(16)}`
/** What tpm2-tools write before a credential: a magic number and a version. */
const CREDENTIAL_HEADER = { magic: 0xbadcc0de, version: 1 }

describe('a credential of an enrolment, judged by tpm2-tools', function () {
  this.timeout(60_000)
  let rig: EnrolRig
  let host: TpmRig
  const path = (name: string) => join(rig.dir, name)
  const tool = (name: string, ...args: readonly string[]) =>
    promisify(execFile)(`tpm2_${name}`, args, { env: { ...process.env, TPM2TOOLS_TCTI: host.tcti }, cwd: rig.dir })

  before(async () => {
    rig = await EnrolRig.make()
    host = await rig.startTpm('one')
  })
  after(() => rig.stop())

  it('is opened by tpm2_activatecredential, and holds what seals the challenge', async () => {
    const { ledger } = await rig.startLedger()
    const [hsm] = await rig.startHsms(ledger)
    const now = new Date()
    const expires = secondsOf(now) + 600n
    const request = await requestEnrolment({ tpm: host.tpm, hsm }, ledger.domain('hostRegistry'), expires)
    const registrar = { ledger, trust: { trustAnchors: host.trustAnchors }, now }
    const challenged = await challengeHost(registrar, request, expires)
    const challenge = challenged.known === undefined ? challenged.challenge : assert.fail('known already')
    const { magic, version } = CREDENTIAL_HEADER
    const [blob, secret] = [fromHex(challenge.credentialBlob), fromHex(challenge.encryptedSecret)]
    await writeFile(path('credential'), new Writer().u32(magic).u32(version).sized16(blob).sized16(secret).finish())

    await tool('startauthsession', '--policy-session', '-S', 'session')
    await tool('policysecret', '-S', 'session', '-c', 'e')
    const keys = ['-c', AK_HANDLE, '-C', EK_HANDLE]
    await tool('activatecredential', ...keys, '-i', 'credential', '-o', 'opened', '-P', 'session:session')
    await tool('flushcontext', 'session')
    const opened = await readFile(path('opened'))
    assert.equal(challengeSeal(sealKey(opened, 'challenge'), challenge), challenge.seal)
  })

  it('is opened here where tpm2_makecredential made it, without a TPM', async () => {
    const secret = randomBytes(32)
    const { public: ek } = await host.tpm.endorsementKey()
    const { name } = await host.tpm.attestationKey()
    await writeFile(path('secret'), secret)
    await writeFile(path('ek.pub'), new Writer().sized16(ek).finish())
    const of = ['-u', 'ek.pub', '-n', Buffer.from(name).toString('hex')]
    await tool('makecredential', '-Q', '-T', 'none', ...of, '-s', 'secret', '-o', 'made')
    const made = await readFile(path('made'))
    const length = made.readUInt16BE(8)
    const credentialBlob = Uint8Array.from(made.subarray(10, 10 + length))
    const encryptedSecret = Uint8Array.from(made.subarray(12 + length))
    assert.deepEqual(Buffer.from(await host.tpm.activateCredential({ credentialBlob, encryptedSecret })), secret)
  })
})
