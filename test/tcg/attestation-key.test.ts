import assert from 'node:assert/strict'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { decodePublic, OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'
import { AK_PARTS, eccPublicBytes, rsaPublicBytes, type EccParts, type RsaParts } from './public-bytes.ts'
import { refuses } from './refusal.ts'
import { tpmtPublic } from './tpm-vectors.ts'

const check = (parts: Partial<EccParts>) => requireAttestationKey(decodePublic(eccPublicBytes(parts)))
const checkRsa = (parts: Partial<RsaParts>) => requireAttestationKey(decodePublic(rsaPublicBytes(parts)))

describe('requireAttestationKey', () => {
  it('takes the AKs of real TPMs', () => {
    const files = ['ak_ecc', 'ak_rsa'].map((name) => `01-ovmf-baseline/${name}.tpm2b_public`)
    for (const file of [...files, 'swtpm-primary-ak/ak.tpm2b_public']) {
      const key = decodePublic(tpmtPublic(file))
      assert.deepEqual(requireAttestationKey(key), key)
    }
  })

  it('refuses an EK, and a curve other than P-256', () => {
    refuses('AK_SCHEME', () => requireAttestationKey(decodePublic(tpmtPublic('01-ovmf-baseline/ek.pub'))))
    refuses('AK_TYPE', () => check({ curve: 0x0004, x: new Uint8Array(48), y: new Uint8Array(48) }))
  })

  it('refuses an RSA key of another length than 2048 bits, which the ledger would not take', () => {
    refuses('AK_TYPE', () => checkRsa({ keyBits: 3072, modulus: new Uint8Array(384).fill(0xff) }))
  })

  it('refuses names by another hash than SHA-256', () => {
    refuses('AK_TYPE', () => check({ nameAlgorithm: 0x000c }))
    refuses('AK_TYPE', () => checkRsa({ nameAlgorithm: 0x000c }))
  })

  it('refuses a key without a scheme, with another hash, or with a symmetric algorithm', () => {
    refuses('AK_SCHEME', () => check({ scheme: [0x0010] }))
    refuses('AK_SCHEME', () => check({ scheme: [0x0018, 0x000c] }))
    refuses('AK_SCHEME', () => check({ symmetric: [0x0006, 128, 0x0043] }))
    refuses('AK_SCHEME', () => checkRsa({ scheme: [0x0010] }))
    refuses('AK_SCHEME', () => checkRsa({ scheme: [0x0014, 0x000c] }))
  })

  for (const name of ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const) {
    it(`refuses a key that is not ${name}`, () => {
      refuses('AK_ATTRIBUTES', () => check({ attributes: AK_PARTS.attributes & ~OBJECT_ATTRIBUTES[name] }))
    })
  }

  it('refuses a point that is not on the curve, and an even modulus', () => {
    refuses('AK_VALUE', () => check({ x: AK_PARTS.y, y: AK_PARTS.x }))
    refuses('AK_VALUE', () => check({ x: new Uint8Array(32), y: new Uint8Array(32) }))
    refuses('AK_VALUE', () => checkRsa({ modulus: new Uint8Array(256).fill(0xfe) }))
  })

  for (const name of ['userWithAuth', 'adminWithPolicy', 'noDA'] as const) {
    it(`takes a key whether it is ${name} or not`, () => {
      check({ attributes: AK_PARTS.attributes ^ OBJECT_ATTRIBUTES[name] })
      checkRsa({ attributes: AK_PARTS.attributes ^ OBJECT_ATTRIBUTES[name] })
    })
  }

  const forbidden = ['stClear', 'firmwareLimited', 'svnLimited', 'encryptedDuplication', 'decrypt', 'x509sign'] as const
  for (const name of forbidden) {
    it(`refuses a key that is ${name}`, () => {
      refuses('AK_ATTRIBUTES', () => check({ attributes: AK_PARTS.attributes | OBJECT_ATTRIBUTES[name] }))
    })
  }
})
