import assert from 'node:assert/strict'
import { checkProfile, type VmmProfile } from '../../src/vmm/profile.ts'

const good: VmmProfile = {
  name: 'test',
  selection: { bank: 'sha256', pcrs: [0, 13] },
  pcr: 13,
  components: [{ name: 'binary', path: '/bin/true' }],
}

describe('checkProfile', () => {
  it('takes a PCR of the operating system that is selected', () => {
    checkProfile(good)
  })

  it('refuses PCRs that software can reset, to measure into or to quote', () => {
    for (const pcr of [16, 23]) {
      const selection = { bank: 'sha256', pcrs: [pcr] } as const
      assert.throws(() => checkProfile({ ...good, pcr, selection }), { code: 'PCR_RESETTABLE' })
      assert.throws(() => checkProfile({ ...good, selection: { bank: 'sha256', pcrs: [13, pcr] } }), {
        code: 'PCR_RESETTABLE',
      })
    }
  })

  it('refuses what contradicts itself', () => {
    const faults: Partial<VmmProfile>[] = [
      { pcr: 0 },
      { pcr: 17 },
      { pcr: 12 },
      { selection: { bank: 'sha384', pcrs: [13] } },
      { selection: { bank: 'sha256', pcrs: [0] } },
      { components: [] },
      { components: [...good.components, ...good.components] },
      { components: [{ name: 'binary', path: 'bin/true' }] },
    ]
    for (const fault of faults) assert.throws(() => checkProfile({ ...good, ...fault }), { code: 'PROFILE_INVALID' })
  })
})
