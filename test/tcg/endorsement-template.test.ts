import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { concat } from '../../src/core/bytes.ts'
import { encodeEndorsementTemplate, ENDORSEMENT_TEMPLATES } from '../../src/tcg/endorsement-template.ts'
import { hex, tpmtPublic } from './tpm-vectors.ts'

const { 'L-1': l1, 'L-2': l2, 'H-3': h3, 'H-6': h6 } = ENDORSEMENT_TEMPLATES

/** A policy digest after one more command (TPM 2.0 Part 3, 23.2.3, "PolicyUpdate"). */
const policy = (hash: string, before: Uint8Array, ...parts: readonly Uint8Array[]) =>
  new Uint8Array(
    createHash(hash)
      .update(concat(before, ...parts))
      .digest(),
  )

describe('ENDORSEMENT_TEMPLATES', () => {
  it('has PolicyA, worked out by TPM2_PolicySecret’s own rule', () => {
    const [secret, endorsement] = [hex('00000151'), hex('4000000b')]
    const policyA = policy('sha256', policy('sha256', new Uint8Array(32), secret, endorsement))
    assert.deepEqual(l1.authPolicy, policyA)
  })

  it('has PolicyB, worked out by TPM2_PolicyOR’s own rule from PolicyA and PolicyC', () => {
    // PolicyC: TPM2_PolicyAuthorizeNV of the indices 0x01C07F01 to 0x01C07F03 (TCG EK Credential Profile 2.6, B.6.4).
    const policyC = {
      sha256: '3767e2edd43ff45a3a7e1eaefcef78643dca964632e7aad82c673a30d8633fde',
      sha384: 'd6032ce61f2fb3c240eb3cf6a33237ef2b6a16f4293c22b455e261cffd217ad5b4947c2d73e63005eed2dc2b3593d165',
      sha512:
        '589ee1e146544716e8deafe6db247b01b81e9f9c7dd16b814aa159138749105fba5388dd1dea702f35240c184933121e2c61b8f50d3ef91393a49a38c3f73fc8',
    }
    for (const { nameAlgorithm, authPolicy } of Object.values(ENDORSEMENT_TEMPLATES).slice(2)) {
      const zero = new Uint8Array(authPolicy.length)
      const first = policy(nameAlgorithm, zero, hex('00000151'), hex('4000000b'))
      const policyA = policy(nameAlgorithm, first)
      const policyB = policy(nameAlgorithm, zero, hex('00000171'), policyA, hex(policyC[nameAlgorithm]))
      assert.deepEqual(authPolicy, policyB)
    }
  })
})

describe('encodeEndorsementTemplate', () => {
  it('gives what real EKs were made from, up to their keys', () => {
    const prefix = (whole: Uint8Array, keyBytes: number) => whole.subarray(0, whole.length - keyBytes)
    const ek = tpmtPublic('01-ovmf-baseline/ek.pub')
    assert.deepEqual(prefix(encodeEndorsementTemplate(l1), 256), prefix(ek, 256))
    const p256 = tpmtPublic('swtpm-primary-ak/ek_p256.pub')
    assert.deepEqual(prefix(encodeEndorsementTemplate(l2), 68), prefix(p256, 68))
    const p384 = tpmtPublic('swtpm-primary-ak/ek_p384.pub')
    assert.deepEqual(prefix(encodeEndorsementTemplate(h3), 4), prefix(p384, 100))
  })

  it('puts a nonce in front of the low range’s unique field', () => {
    const nonce = Uint8Array.of(1, 2, 3)
    const unique = encodeEndorsementTemplate(l1, nonce).subarray(-256)
    assert.deepEqual(unique, concat(nonce, new Uint8Array(253)))
    assert.deepEqual(encodeEndorsementTemplate(l2, nonce).subarray(-66, -34), concat(nonce, new Uint8Array(29)))
  })

  it('refuses a nonce that is longer than the field', () => {
    assert.throws(() => encodeEndorsementTemplate(l1, new Uint8Array(257)), RangeError)
    assert.throws(() => encodeEndorsementTemplate(l2, new Uint8Array(33)), RangeError)
    assert.throws(() => encodeEndorsementTemplate(h6, new Uint8Array(1)), RangeError)
  })
})
