import assert from 'node:assert/strict'
import { endorsementTemplateOf, requireEndorsementKey, UNAMBIGUOUS_TEMPLATES } from '../../src/tcg/endorsement-key.ts'
import { ENDORSEMENT_TEMPLATES, type TemplateName } from '../../src/tcg/endorsement-template.ts'
import { decodePublic, OBJECT_ATTRIBUTES, type TpmPublic } from '../../src/tcg/public.ts'
import { refuses } from './refusal.ts'
import { tpmtPublic } from './tpm-vectors.ts'

const real = ['01-ovmf-baseline/ek.pub', 'swtpm-primary-ak/ek_p256.pub', 'swtpm-primary-ak/ek_p384.pub'].map((file) =>
  decodePublic(tpmtPublic(file)),
)
const names = Object.keys(ENDORSEMENT_TEMPLATES) as TemplateName[]
const every: ReadonlySet<TemplateName> = new Set(names)

/** A key by a template; of the key itself nothing is looked at. */
function keyBy(name: TemplateName): TpmPublic {
  const { key, nameAlgorithm, attributes, authPolicy, aesBits } = ENDORSEMENT_TEMPLATES[name]
  const area = { nameAlgorithm, attributes, authPolicy, aesBits, scheme: undefined }
  if (key.type === 'rsa') return { type: 'rsa', ...area, bits: key.bits, modulus: new Uint8Array(key.bits / 8) }
  return { type: 'ecc', ...area, curve: key.curve, x: new Uint8Array(key.bytes), y: new Uint8Array(key.bytes) }
}

describe('requireEndorsementKey', () => {
  it('takes EKs made by the templates', () => {
    for (const ek of real) assert.equal(requireEndorsementKey(ek), ek)
  })

  it('refuses any other public area around the same key, which would make another hostId', () => {
    for (const ek of [...real, keyBy('H-4'), keyBy('H-6'), keyBy('H-7')]) {
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

  it('refuses the high range’s twins of L-1 and L-2, with which one TPM could be two hosts', () => {
    for (const name of ['H-1', 'H-2'] as const) refuses('EK_TEMPLATE', () => requireEndorsementKey(keyBy(name)))
  })

  it('refuses an AK', () => {
    refuses('EK_TEMPLATE', () => requireEndorsementKey(decodePublic(tpmtPublic('swtpm-primary-ak/ak.tpm2b_public'))))
  })
})

describe('endorsementTemplateOf', () => {
  it('names each template', () => {
    for (const name of names) assert.equal(endorsementTemplateOf(keyBy(name), every), name)
  })

  it('takes only those that are asked for', () => {
    for (const name of names) {
      const others = new Set(names.filter((other) => other !== name))
      refuses('EK_TEMPLATE', () => endorsementTemplateOf(keyBy(name), others))
    }
  })

  it('has one unambiguous template for each kind of key', () => {
    const kinds = [...UNAMBIGUOUS_TEMPLATES].map((name) => JSON.stringify(ENDORSEMENT_TEMPLATES[name].key))
    assert.equal(new Set(kinds).size, kinds.length)
    const all = names.map((name) => JSON.stringify(ENDORSEMENT_TEMPLATES[name].key))
    assert.deepEqual(new Set(all), new Set(kinds))
  })
})
