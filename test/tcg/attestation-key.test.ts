import assert from 'node:assert/strict'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { decodePublic, OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'
import { AK_PARTS, eccPublicBytes, type EccParts } from './public-bytes.ts'
import { refuses } from './refusal.ts'
import { tpmtPublic } from './tpm-vectors.ts'

const check = (parts: Partial<EccParts>) => requireAttestationKey(decodePublic(eccPublicBytes(parts)))

describe('requireAttestationKey', () => {
  it('takes the AKs of real TPMs', () => {
    for (const file of ['01-ovmf-baseline/ak_ecc.tpm2b_public', 'swtpm-primary-ak/ak.tpm2b_public']) {
      const key = decodePublic(tpmtPublic(file))
      assert.deepEqual(requireAttestationKey(key), key)
    }
  })

  it('refuses an EK, and a curve other than P-256', () => {
    refuses('AK_TYPE', () => requireAttestationKey(decodePublic(tpmtPublic('01-ovmf-baseline/ek.pub'))))
    refuses('AK_TYPE', () => check({ curve: 0x0004, x: new Uint8Array(48), y: new Uint8Array(48) }))
  })

  it('refuses names by another hash than SHA-256', () => {
    refuses('AK_TYPE', () => check({ nameAlgorithm: 0x000c }))
  })

  it('refuses a key without a scheme, with another hash, or with a symmetric algorithm', () => {
    refuses('AK_SCHEME', () => check({ scheme: [0x0010] }))
    refuses('AK_SCHEME', () => check({ scheme: [0x0018, 0x000c] }))
    refuses('AK_SCHEME', () => check({ symmetric: [0x0006, 128, 0x0043] }))
  })

  for (const name of ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'restricted', 'sign'] as const) {
    it(`refuses a key that is not ${name}`, () => {
      refuses('AK_ATTRIBUTES', () => check({ attributes: AK_PARTS.attributes & ~OBJECT_ATTRIBUTES[name] }))
    })
  }

  for (const name of ['decrypt', 'encryptedDuplication', 'x509sign'] as const) {
    it(`refuses a key that is ${name}`, () => {
      refuses('AK_ATTRIBUTES', () => check({ attributes: AK_PARTS.attributes | OBJECT_ATTRIBUTES[name] }))
    })
  }
})
