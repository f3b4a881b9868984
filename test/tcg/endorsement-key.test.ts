import assert from 'node:assert/strict'
import { requireEndorsementKey } from '../../src/tcg/endorsement-key.ts'
import { decodePublic, OBJECT_ATTRIBUTES, type TpmPublic } from '../../src/tcg/public.ts'
import { refuses } from './refusal.ts'
import { tpmtPublic } from './tpm-vectors.ts'

const eks = ['01-ovmf-baseline/ek.pub', 'swtpm-primary-ak/ek_p256.pub', 'swtpm-primary-ak/ek_p384.pub'].map((file) =>
  decodePublic(tpmtPublic(file)),
)

describe('requireEndorsementKey', () => {
  it('takes EKs made by the templates', () => {
    for (const ek of eks) assert.equal(requireEndorsementKey(ek), ek)
  })

  it('refuses any other public area around the same key, which would make another hostId', () => {
    for (const ek of eks) {
      const others: readonly TpmPublic[] = [
        { ...ek, attributes: ek.attributes | OBJECT_ATTRIBUTES.noDA },
        { ...ek, attributes: ek.attributes ^ OBJECT_ATTRIBUTES.userWithAuth },
        { ...ek, attributes: ek.attributes ^ OBJECT_ATTRIBUTES.restricted },
        { ...ek, authPolicy: new Uint8Array() },
        { ...ek, authPolicy: Uint8Array.from(ek.authPolicy, (byte) => byte ^ 1) },
        { ...ek, aesBits: ek.aesBits === 128 ? 256 : 128 },
        { ...ek, scheme: { algorithm: 'ecdsa', hash: 'sha256' } },
        { ...ek, nameAlgorithm: ek.nameAlgorithm === 'sha256' ? 'sha384' : 'sha256' },
      ]
      for (const other of others) refuses('EK_TEMPLATE', () => requireEndorsementKey(other))
    }
  })

  it('refuses an AK', () => {
    refuses('EK_TEMPLATE', () => requireEndorsementKey(decodePublic(tpmtPublic('swtpm-primary-ak/ak.tpm2b_public'))))
  })
})
