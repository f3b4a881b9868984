import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { verifyEndorsement } from '../../src/evidence/endorsement.ts'
import { isRocaModulus } from '../../src/evidence/roca.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { toHex, type Hex } from '../../src/core/bytes.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { CAPTURES, tpmtPublic } from '../tcg/tpm-vectors.ts'
import { AT, makeAuthority, makeEk, makeRsaEk } from './authority.ts'
import { rocaKeyPair } from './roca-key.ts'

const modulusOf = async ({ publicKey }: CryptoKeyPair): Promise<Uint8Array> => {
  const { n = '' } = await crypto.subtle.exportKey('jwk', publicKey)
  return Uint8Array.from(Buffer.from(n, 'base64url'))
}

describe('isRocaModulus (class 5)', () => {
  it('knows moduli made as Infineon’s library made them', async () => {
    for (let i = 0; i < 4; i++) assert.equal(isRocaModulus(await modulusOf(await rocaKeyPair())), true)
  })

  it('passes other moduli: of OpenSSL, of software TPMs', () => {
    for (let i = 0; i < 3; i++) {
      const { n = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
      assert.equal(isRocaModulus(Buffer.from(n, 'base64url')), false)
    }
    for (const capture of CAPTURES) {
      const ek = decodePublic(tpmtPublic(`${capture}/ek.pub`))
      assert.ok(ek.type === 'rsa')
      assert.equal(isRocaModulus(ek.modulus), false)
    }
  })
})

describe('verifyEndorsement, of keys that can be computed (class 5)', () => {
  const hardware = (der: Uint8Array) => new Set<Hex>([toHex(sha256(der))])

  it('flags a ROCA key as the EK’s, and does not call the host hardware', async () => {
    const root = await makeAuthority('CN=Vendor root')
    for (const roca of [true, false]) {
      const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 }
      const ordinary = { ...rsa, publicExponent: Uint8Array.of(1, 0, 1) }
      const keys = roca ? await rocaKeyPair() : await crypto.subtle.generateKey(ordinary, true, ['sign', 'verify'])
      const ek = await makeRsaEk(keys.publicKey)
      const { assurance, findings } = await verifyEndorsement({
        ekPublic: ek.public,
        ekCertificate: await ek.certificate(root, {}),
        trustAnchors: [root.der],
        hardwareRoots: hardware(root.der),
        at: AT,
      })
      assert.deepEqual(
        [assurance, findings.map(({ code }) => code)],
        roca ? ['Software', ['ROCA_EK']] : ['Hardware', []],
      )
    }
  })

  it('flags a ROCA key of an authority on the path, whose certificates anybody could have made', async () => {
    const root = await makeAuthority('CN=Vendor root', { keys: await rocaKeyPair() })
    const ek = await makeEk()
    const { assurance, findings } = await verifyEndorsement({
      ekPublic: ek.public,
      ekCertificate: await ek.certificate(root, {}),
      trustAnchors: [root.der],
      hardwareRoots: hardware(root.der),
      at: AT,
    })
    assert.deepEqual([assurance, findings.map(({ code }) => code)], ['Software', ['ROCA_AUTHORITY']])
  })
})
