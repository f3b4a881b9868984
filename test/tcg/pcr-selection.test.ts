import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes.ts'
import { decodePcrSelections, encodePcrSelection, requireMeaningful } from '../../src/tcg/pcr-selection.ts'
import { accepts, refuses } from './refusal.ts'
import { hex } from './tpm-vectors.ts'

const banks = fc.constantFrom('sha256' as const, 'sha384' as const)
const pcrs = fc.subarray(
  Array.from({ length: 24 }, (_, pcr) => pcr),
  { minLength: 1 },
)

describe('encodePcrSelection', () => {
  it('writes one entry with three select bytes', () => {
    assert.equal(toHex(encodePcrSelection({ bank: 'sha256', pcrs: [13] })), '0x00000001000b03002000')
    assert.equal(toHex(encodePcrSelection({ bank: 'sha256', pcrs: [0, 2, 4, 7, 13] })), '0x00000001000b03952000')
    assert.equal(toHex(encodePcrSelection({ bank: 'sha384', pcrs: [23] })), '0x00000001000c03000080')
  })

  it('refuses no PCRs', () => {
    refuses('SELECTION_EMPTY', () => encodePcrSelection({ bank: 'sha256', pcrs: [] }))
  })

  it('refuses PCRs that are repeated, out of order or do not exist', () => {
    for (const wrong of [[24], [-1], [0.5], [Number.NaN], [3, 3], [4, 3], [0, 32]]) {
      refuses('SELECTION_INVALID', () => encodePcrSelection({ bank: 'sha256', pcrs: wrong }))
    }
  })
})

describe('decodePcrSelections', () => {
  it('reads what was written', () => {
    fc.assert(
      fc.property(banks, pcrs, (bank, selected) => {
        assert.deepEqual(decodePcrSelections(encodePcrSelection({ bank, pcrs: selected })), [{ bank, pcrs: selected }])
      }),
    )
  })

  it('writes what was read', () => {
    const select = fc.uint8Array({ minLength: 3, maxLength: 3 }).filter((bytes) => bytes.some((byte) => byte !== 0))
    fc.assert(
      fc.property(select, (bytes) => {
        const written = Uint8Array.of(0, 0, 0, 1, 0, 0x0b, 3, ...bytes)
        const [selection] = decodePcrSelections(written)
        assert.ok(selection)
        assert.equal(toHex(encodePcrSelection(selection)), toHex(written))
      }),
    )
  })

  it('reads one selection of each bank, an empty list, and an entry of nothing', () => {
    assert.deepEqual(decodePcrSelections(hex('00000002000b03010000000c03000001')), [
      { bank: 'sha256', pcrs: [0] },
      { bank: 'sha384', pcrs: [16] },
    ])
    assert.deepEqual(decodePcrSelections(hex('00000000')), [])
    assert.deepEqual(decodePcrSelections(hex('00000001000b03000000')), [{ bank: 'sha256', pcrs: [] }])
  })

  it('refuses a bank of SHA-1 and one that is not known', () => {
    refuses('SELECTION_BANK', () => decodePcrSelections(hex('00000001000403010000')))
    refuses('SELECTION_BANK', () => decodePcrSelections(hex('00000001000d03010000')))
  })

  it('refuses a bank that is selected twice', () => {
    refuses('SELECTION_REPEATED', () => decodePcrSelections(hex('00000002000b03010000000b03020000')))
  })

  it('refuses more entries than there are banks, before it reads them', () => {
    refuses('SELECTION_INVALID', () => decodePcrSelections(hex('ffffffff')))
    refuses('SELECTION_INVALID', () => decodePcrSelections(hex('00000003000b03010000000c03010000000d03010000')))
  })

  it('refuses select bytes for fewer or more than 24 PCRs', () => {
    for (const select of ['00', '0101', '020100', '0401000000', '0401000001', 'ff']) {
      refuses('SELECTION_INVALID', () => decodePcrSelections(hex(`00000001000b${select}`)))
    }
  })

  it('refuses a trailing byte', () => {
    refuses('MALFORMED', () => decodePcrSelections(hex('00000001000b0301000000')))
  })

  it('throws nothing but TcgError, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => void accepts(decodePcrSelections, bytes)))
  })
})

describe('requireMeaningful', () => {
  it('takes selections of PCRs that nobody can reset', () => {
    requireMeaningful([
      { bank: 'sha256', pcrs: [0, 22] },
      { bank: 'sha384', pcrs: [13] },
    ])
  })

  it('refuses a selection of nothing, alone or beside another', () => {
    refuses('SELECTION_EMPTY', () => requireMeaningful([{ bank: 'sha256', pcrs: [] }]))
    refuses('SELECTION_EMPTY', () =>
      requireMeaningful([
        { bank: 'sha256', pcrs: [13] },
        { bank: 'sha384', pcrs: [] },
      ]),
    )
  })

  it('refuses PCRs that anybody can reset', () => {
    for (const pcr of [16, 23]) {
      refuses('SELECTION_RESETTABLE', () => requireMeaningful([{ bank: 'sha256', pcrs: [13, pcr] }]))
    }
  })
})
