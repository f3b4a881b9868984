import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm } from '../../hil/stack/swtpm.ts'
import { Reader } from '../../src/core/reader.ts'
import { Writer } from '../../src/core/writer.ts'
import { nameOf } from '../../src/tcg/name.ts'
import { approvalMessage, pcrPolicy } from '../../src/tcg/policy.ts'
import {
  approver,
  approverPublic,
  approverScheme,
  encodeApproverSignature,
  POLICY_REF,
} from '../../src/tpm/approver-key.ts'
import { OWNER, PASSWORD } from '../../src/tpm/commands.ts'
import { approvePin, readPinApproval, writePinApproval } from '../../src/tpm/pin-approval.ts'
import { sealPinIn } from '../../src/tpm/pin-vault.ts'
import { readSealedPin, writeSealedPin, type SealedPin } from '../../src/tpm/sealed-pin.ts'
import { withStorageParent } from '../../src/tpm/storage-parent.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { withTss } from './tss.ts'

const SELECTION = { bank: 'sha256', pcrs: [0, 7, 13] } as const
const PCRS = 'sha256:0,7,13'
/** Where the parent of the sealed object is put for tpm2-tools. */
const PARENT = 0x8100aa01

const pemOf = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }).toString()
const sized = (bytes: Uint8Array) => new Writer().sized16(bytes).finish()
const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

for (const [kind, pair] of [
  ['P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['RSA-2048', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
] as const) {
  describe(`a PIN sealed for a ${kind} key, judged by tpm2-tools`, function () {
    this.timeout(120_000)
    let dir: string
    let swtpm: StackProcess
    let tpm: Tpm
    let tcti: string
    let sealed: SealedPin
    const pin = randomBytes(24).toString('hex')
    const team = pair()
    const tool = (name: string, ...args: readonly string[]) =>
      promisify(execFile)(`tpm2_${name}`, args, { env: { ...process.env, TPM2TOOLS_TCTI: tcti }, cwd: dir })
    /** The same; objects that it leaves in the TPM, which has room for three, are saved in its files and flushed. */
    const make = async (name: string, ...args: readonly string[]) => {
      await tool(name, ...args)
      await tool('flushcontext', '-t')
    }
    const at = (name: string) => join(dir, name)

    before(async () => {
      dir = await mkdtemp(join(tmpdir(), 'attestry-pin-tools-'))
      await manufactureSwtpm(dir)
      ;({ process: swtpm, tcti } = await startSwtpm(dir))
      tpm = new Tpm({ tcti, deadlineMs: 60_000 })
      for (const pcr of SELECTION.pcrs) await tool('pcrextend', `${pcr}:sha256=${hexOf(randomBytes(32))}`)
      const approverKey = approverPublic(pemOf(team.publicKey))
      const made = await sealPinIn(
        { tcti, deadlineMs: 60_000 },
        () => Promise.resolve(new Uint8Array(Buffer.from(pin))),
        approverKey,
        nameOf((await tpm.endorsementKey()).public),
      )
      sealed = readSealedPin(Buffer.from(writeSealedPin(made)))
      await writeFile(at('team.public'), sized(approverKey))
      await writeFile(at('sealed.public'), sized(sealed.public))
      await writeFile(at('sealed.private'), sized(sealed.private))
      await writeFile(at('reference'), POLICY_REF)
      withTss(tcti, (tss) =>
        withStorageParent(tss, (parent) => {
          tss.commands.EvictControl(OWNER, parent, [PASSWORD], PARENT)
        }),
      )
    })
    after(async () => {
      await tpm.close()
      await stopProcess(swtpm)
      await rm(dir, { recursive: true, force: true })
    })

    /** What an approval's file approves, as tpm2-tools take it: policy, message, signature. */
    const approveNow = async () => {
      const values = await tpm.readPcrs(SELECTION)
      const text = writePinApproval(approvePin(approver(pemOf(team.privateKey)), SELECTION, values))
      const { signature } = readPinApproval(Buffer.from(text), SELECTION)
      const policy = pcrPolicy(SELECTION, values)
      await writeFile(at('approved'), policy)
      await writeFile(at('message'), approvalMessage(policy, POLICY_REF))
      await writeFile(at('signature'), encodeApproverSignature(approverScheme(sealed.approver), signature))
    }

    /** What tpm2-tools come to for a policy, with the PCRs as they are; nothing is kept in the TPM. */
    const inSession = async (kind: 'trial' | 'policy', work: () => Promise<void>) => {
      await tool('startauthsession', ...(kind === 'trial' ? [] : ['--policy-session']), '-S', 'session')
      try {
        await work()
      } finally {
        await tool('flushcontext', 'session')
      }
    }

    const unsealBy = async (session: string) => {
      try {
        return (await tool('unseal', '-c', 'sealed.ctx', '-p', `session:${session}`)).stdout
      } finally {
        await tool('flushcontext', '-t')
      }
    }

    /** Opens the PIN as anybody could who has the sealed object and an approval. @returns what tpm2_unseal printed */
    const unseal = async () => {
      await make(
        'load',
        '-C',
        `0x${PARENT.toString(16)}`,
        '-u',
        'sealed.public',
        '-r',
        'sealed.private',
        '-c',
        'sealed.ctx',
      )
      await make('loadexternal', '-C', 'o', '-u', 'team.public', '-c', 'team.ctx')
      const signed = ['-g', 'sha256', '-m', 'message', '-s', 'signature', '-t', 'ticket']
      await make('verifysignature', '-c', 'team.ctx', ...signed)
      let opened = ''
      await inSession('policy', async () => {
        await tool('policypcr', '-S', 'session', '-l', PCRS)
        const authorized = ['-i', 'approved', '-q', 'reference', '-n', 'team.name', '-t', 'ticket']
        await tool('policyauthorize', '-S', 'session', ...authorized)
        opened = await unsealBy('session')
      })
      return opened
    }

    it('has the policies that tpm2_policypcr and tpm2_policyauthorize come to', async () => {
      await approveNow()
      await inSession('trial', async () => {
        await tool('policypcr', '-S', 'session', '-l', PCRS, '-L', 'by-tools')
      })
      assert.deepEqual(await readFile(at('by-tools')), await readFile(at('approved')))

      await make('loadexternal', '-C', 'o', '-u', 'team.public', '-c', 'team.ctx', '-n', 'team.name')
      assert.deepEqual(await readFile(at('team.name')), Buffer.from(nameOf(sealed.approver)))
      await inSession('trial', async () => {
        const authorized = ['-i', 'by-tools', '-q', 'reference', '-n', 'team.name', '-L', 'authorized']
        await tool('policyauthorize', '-S', 'session', ...authorized)
      })
      const area = new Reader(sealed.public)
      // Type, hash of the name, attributes (TPM 2.0 Part 2, 12.2.4).
      area.bytes(8)
      assert.deepEqual(await readFile(at('authorized')), Buffer.from(area.sized16(32)))
    })

    it('is opened by tpm2_unseal where an approval holds, and not once a PCR has moved', async () => {
      await approveNow()
      assert.equal(await unseal(), pin)
      await tool('pcrextend', `13:sha256=${hexOf(randomBytes(32))}`)
      await assert.rejects(unseal(), /Esys_PolicyAuthorize\(0x1C4\)/)
      await approveNow()
      assert.equal(await unseal(), pin)
    })

    it('is not opened by tpm2_unseal without PolicyAuthorize', async () => {
      await inSession('policy', async () => {
        await tool('policypcr', '-S', 'session', '-l', PCRS)
        await assert.rejects(unsealBy('session'), /Esys_Unseal\(0x99D\)/)
      })
    })
  })
}
