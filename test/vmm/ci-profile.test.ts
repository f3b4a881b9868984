import assert from 'node:assert/strict'
import { ciProfile } from '../../src/vmm/ci-profile.ts'

describe('ciProfile', () => {
  it('measures code, Node, the module, tpm2-tss and the VMM, in this order, and says what it leaves out', () => {
    const { components, note } = ciProfile({
      pkcs11Module: '/usr/lib/softhsm/libsofthsm2.so',
      vmmDirectory: '/vmm',
      selection: { bank: 'sha256', pcrs: [13] },
      pcr: 13,
    })
    const names = components.map(({ name }) => name)
    assert.deepEqual(names.slice(0, 6), [
      'attestry/src',
      'attestry/native',
      'attestry/bin',
      'attestry/package-lock.json',
      'node',
      'pkcs11-module',
    ])
    assert.ok(names.includes('tpm2-tss/libtss2-esys.so.0'))
    assert.equal(names.at(-1), 'vmm')
    assert.match(note ?? '', /stands in for the VMM.*no firmware PCR/)
  })
})
