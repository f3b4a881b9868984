import assert from 'node:assert/strict'
import { akQualifiedNameOf, nameOf, primaryQualifiedName } from '../../src/tcg/name.ts'
import { refuses } from './refusal.ts'
import { CAPTURES, hex, tpmtPublic, tpmVector, transcriptValue } from './tpm-vectors.ts'

describe('nameOf', () => {
  for (const capture of CAPTURES) {
    it(`gives the name that the TPM gave the AK of ${capture}`, () => {
      assert.deepEqual(nameOf(tpmtPublic(`${capture}/ak_ecc.tpm2b_public`)), tpmVector(`${capture}/ak.name`))
    })
  }

  for (const capture of CAPTURES) {
    it(`gives the name that the TPM gave the RSA AK of ${capture}`, () => {
      assert.deepEqual(nameOf(tpmtPublic(`${capture}/ak_rsa.tpm2b_public`)), tpmVector(`${capture}/ak_rsa.name`))
    })
  }

  it('refuses what is no public area, and names by another hash', () => {
    refuses('MALFORMED', () => nameOf(tpmtPublic('01-ovmf-baseline/ek.pub').slice(0, -1)))
    refuses('NAME_ALGORITHM', () => nameOf(tpmtPublic('swtpm-primary-ak/ek_p384.pub')))
  })
})

describe('primaryQualifiedName', () => {
  it('gives what the TPM says of a primary key in the endorsement hierarchy', () => {
    const ak = tpmtPublic('swtpm-primary-ak/ak.tpm2b_public')
    const given = hex(transcriptValue('swtpm-primary-ak/ak.yaml', 'qualified name'))
    assert.deepEqual(primaryQualifiedName(ak), given)
    assert.deepEqual(akQualifiedNameOf(ak), given.slice(2))
  })

  it('is not that of a child of the EK', () => {
    const ak = tpmtPublic('01-ovmf-baseline/ak_ecc.tpm2b_public')
    assert.notDeepEqual(
      primaryQualifiedName(ak),
      hex(transcriptValue('01-ovmf-baseline/ak_ecc.yaml', 'qualified name')),
    )
  })
})
