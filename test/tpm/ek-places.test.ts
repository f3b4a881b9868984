import 'reflect-metadata'
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as x509 from '@peculiar/x509'
import { stopProcess, type StackProcess } from '../../hil/stack/process.ts'
import { manufactureSwtpm, startSwtpm, swtpmTrustAnchors } from '../../hil/stack/swtpm.ts'
import { concat } from '../../src/core/bytes.ts'
import { verifyEndorsement } from '../../src/evidence/endorsement.ts'
import { encodeEndorsementTemplate, ENDORSEMENT_TEMPLATES } from '../../src/tcg/endorsement-template.ts'
import { decodePublic, type TpmPublic } from '../../src/tcg/public.ts'
import { OWNER, PASSWORD } from '../../src/tpm/commands.ts'
import { EK_PLACES, type EkPlaceName } from '../../src/tpm/ek-place.ts'
import { makeCredential } from '../../src/tpm/make-credential.ts'
import { Tpm, type TpmConfig } from '../../src/tpm/tpm.ts'
import { AT, issueFor, makeAuthority, type Authority } from '../evidence/authority.ts'
import { tpmError } from './suite.ts'
import { createPrimary, held, withTss } from './tss.ts'

describe('EK places, on swtpm', () => {
  let dir: string
  let tcti: string
  let swtpm: StackProcess
  const tpms: Tpm[] = []

  const open = (config: Partial<TpmConfig> = {}): Tpm => {
    const tpm = new Tpm({ tcti, deadlineMs: 120_000, ...config })
    tpms.push(tpm)
    return tpm
  }
  const activates = async (tpm: Tpm, ekPublic: Uint8Array): Promise<void> => {
    const secret = new Uint8Array(randomBytes(32))
    const { name } = await tpm.attestationKey()
    assert.deepEqual(await tpm.activateCredential(makeCredential(ekPublic, name, secret)), secret)
    const wrong = makeCredential(ekPublic, concat(name.subarray(0, 2), randomBytes(32)), secret)
    await assert.rejects(tpm.activateCredential(wrong), tpmError('CREDENTIAL_REFUSED'))
    assert.deepEqual([held(tcti).transient, held(tcti).sessions], [[], []])
  }
  const evict = (tpmHandle: number): void =>
    withTss(tcti, ({ commands }) => {
      const [handle] = commands.TR_FromTPMPublic(tpmHandle, [])
      commands.EvictControl(OWNER, handle, [PASSWORD], tpmHandle)
    })

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-ek-'))
  })
  afterEach(async () => {
    await Promise.all(tpms.splice(0).map((tpm) => tpm.close()))
    await stopProcess(swtpm)
    await rm(dir, { recursive: true, force: true })
  })

  describe('as swtpm_setup made it', () => {
    let trustAnchors: readonly Uint8Array[]
    beforeEach(async () => {
      await manufactureSwtpm(dir)
      ;({ process: swtpm, tcti } = await startSwtpm(dir))
      const pems = await Promise.all(swtpmTrustAnchors(dir).map((path) => readFile(path, 'utf8')))
      trustAnchors = pems.map((pem) => new Uint8Array(new x509.X509Certificate(pem).rawData))
    })

    it('shows RSA-2048 before P-384, unless another order is asked for, and activates with either', async () => {
      const expected: readonly (readonly [EkPlaceName[] | undefined, EkPlaceName, string])[] = [
        [undefined, 'rsa-2048', 'L-1'],
        [['p-256', 'p-384', 'rsa-2048'], 'p-384', 'H-3'],
      ]
      for (const [ek, place, template] of expected) {
        const tpm = open(ek === undefined ? {} : { ek })
        const shown = await tpm.endorsementKey()
        assert.equal(shown.place, place)
        const claim = { ekPublic: shown.public, ekCertificate: shown.certificate, trustAnchors, at: new Date() }
        assert.equal((await verifyEndorsement(claim)).template, template)
        await activates(tpm, shown.public)
      }
    })

    it('makes an EK again from its template where it does not persist', async () => {
      for (const [place, tpmHandle] of [
        ['rsa-2048', 0x81010001],
        ['p-384', 0x81010016],
      ] as const) {
        assert.ok(held(tcti).persistent.includes(tpmHandle), `swtpm_setup left no ${place} EK behind`)
        const before = await open({ ek: [place] }).endorsementKey()
        evict(tpmHandle)
        const tpm = open({ ek: [place] })
        assert.deepEqual(await tpm.endorsementKey(), before)
        await activates(tpm, before.public)
      }
    })

    it('leaves a persistent key alone that is made by the template and is not the certified one', async () => {
      const before = await open().endorsementKey()
      evict(0x81010001)
      withTss(tcti, ({ commands }) => {
        const other = encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1'], Uint8Array.of(1))
        const [key] = createPrimary(commands, 0x10b, other)
        commands.EvictControl(OWNER, key, [PASSWORD], 0x81010001)
        commands.FlushContext(key)
      })
      const tpm = open()
      assert.deepEqual(await tpm.endorsementKey(), before)
      await activates(tpm, before.public)
    })
  })

  describe('as its owner fills it', () => {
    let authority: Authority
    before(async () => (authority = await makeAuthority('CN=Vendor root')))
    beforeEach(async () => {
      await mkdir(join(dir, 'state'))
      ;({ process: swtpm, tcti } = await startSwtpm(dir))
      // swtpm serves one connection at a time, and a synchronous call would keep the one that tried it from ending.
      await open().readClock()
    })

    const tool = (name: string, ...args: readonly string[]) =>
      promisify(execFile)(name, args, { env: { ...process.env, TPM2TOOLS_TCTI: tcti } })
    const writeNv = async (index: number, content: Uint8Array): Promise<void> => {
      const [name, file] = [`0x${index.toString(16)}`, join(dir, 'content')]
      await writeFile(file, content)
      await tool('tpm2_nvdefine', name, '-C', 'o', '-s', String(content.length), '-a', 'ownerwrite|ownerread|authread')
      await tool('tpm2_nvwrite', name, '-C', 'o', '-i', file)
    }
    const primary = (template: Uint8Array): Uint8Array =>
      withTss(tcti, ({ commands }) => {
        const [key, tpm2bPublic] = createPrimary(commands, 0x10b, template)
        commands.FlushContext(key)
        return tpm2bPublic.slice(2)
      })
    const certify = async (place: EkPlaceName, ekPublic: Uint8Array): Promise<Uint8Array> => {
      const certificate = await issueFor(await publicKeyOf(decodePublic(ekPublic)), authority)
      await writeNv(EK_PLACES[place].certificate, certificate)
      return certificate
    }

    // RSA-4096 is what swtpm's library does not make.
    for (const place of ['p-256', 'p-521', 'rsa-2048-high', 'p-256-high', 'rsa-3072'] as const) {
      it(`shows, and activates with, an EK of ${place}`, async function () {
        this.timeout(180_000)
        const { template } = EK_PLACES[place]
        const ekPublic = primary(encodeEndorsementTemplate(template))
        const certificate = await certify(place, ekPublic)
        const tpm = open()
        const shown = await tpm.endorsementKey()
        assert.deepEqual(shown, { public: ekPublic, certificate, intermediates: [], place })
        const claim = {
          ekPublic: shown.public,
          ekCertificate: shown.certificate,
          trustAnchors: [authority.der],
          at: AT,
        }
        assert.equal(
          (await verifyEndorsement({ ...claim, templates: new Set([template.name]) })).template,
          template.name,
        )
        await activates(tpm, shown.public)
      })
    }

    it('makes the EK from the nonce in NV, in front of the unique field of the template there', async () => {
      const standard = encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1'])
      const nonce = randomBytes(20)
      await writeNv(0x01c00003, nonce)
      await writeNv(0x01c00004, standard)
      const ekPublic = primary(concat(standard.subarray(0, -256), nonce, new Uint8Array(236)))
      assert.notDeepEqual(primary(standard), ekPublic)
      await certify('rsa-2048', ekPublic)
      const tpm = open()
      const shown = await tpm.endorsementKey()
      assert.deepEqual(shown.public, ekPublic)
      await activates(tpm, shown.public)
    })

    it('makes the EK from a template in NV that has a unique field of its own', async () => {
      const own = encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-2'], Uint8Array.of(7, 7))
      await writeNv(0x01c0000c, own)
      const ekPublic = primary(own)
      await certify('p-256', ekPublic)
      assert.deepEqual((await open().endorsementKey()).public, ekPublic)
    })

    it('refuses a template in NV that is none of the TCG’s', async () => {
      const own = encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1']).with(6, 0x04)
      await certify('rsa-2048', primary(encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-1'])))
      await writeNv(0x01c00004, own)
      await assert.rejects(open().endorsementKey(), tpmError('EK_TEMPLATE'))
    })

    it('shows the certificates above the EK’s, over several indices, up to what is none', async () => {
      const intermediate = await makeAuthority('CN=Vendor intermediate', { issuer: authority })
      const chain = concat(intermediate.der, authority.der, new Uint8Array(9).fill(0xff))
      await certify('p-256', primary(encodeEndorsementTemplate(ENDORSEMENT_TEMPLATES['L-2'])))
      await writeNv(0x01c00100, chain.subarray(0, 300))
      await writeNv(0x01c00101, chain.subarray(300))
      assert.deepEqual((await open().endorsementKey()).intermediates, [intermediate.der, authority.der])
    })
  })
})

async function publicKeyOf(key: TpmPublic): Promise<CryptoKey> {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
  if (key.type === 'rsa') {
    const jwk = { kty: 'RSA', e: 'AQAB', n: text(key.modulus) }
    return crypto.subtle.importKey('jwk', jwk, { name: 'RSA-OAEP', hash: 'SHA-256' }, true, ['encrypt'])
  }
  const jwk = { kty: 'EC', crv: key.curve, x: text(key.x), y: text(key.y) }
  return crypto.subtle.importKey('jwk', jwk, { name: 'ECDH', namedCurve: key.curve }, true, [])
}
