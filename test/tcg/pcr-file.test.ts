import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, toHex } from '../../src/core/bytes.ts'
import { BANKS, type BankName } from '../../src/tcg/bank.ts'
import { MAX_PCR_FILE_BYTES, parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { PcrFileError, type PcrFileErrorCode } from '../../src/tcg/pcr-file-error.ts'
import { CAPTURES, hex, sha256Pcrs, tpmVector, tpmVectorText } from './tpm-vectors.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const refuses = (code: PcrFileErrorCode, file: string | Uint8Array) =>
  assert.throws(
    () => parsePcrFile(typeof file === 'string' ? bytes(file) : file),
    (error) => error instanceof PcrFileError && error.code === code,
    `expected ${code} for ${typeof file === 'string' ? file.slice(0, 60) : toHex(file.subarray(0, 40))}`,
  )
const json = (banks: object) => JSON.stringify({ pcrs: banks })
const zeros = '0'.repeat(64)
const value = `0x${zeros}`

describe('parsePcrFile', () => {
  for (const capture of CAPTURES) {
    it(`reads the four banks of ${capture}, from YAML, from sysfs and from JSON alike`, () => {
      const pcrs = parsePcrFile(tpmVector(`${capture}/pcrs.yaml`))
      assert.deepEqual([...pcrs.keys()], ['sha1', 'sha256', 'sha384', 'sha512'])
      const lines = tpmVectorText(`${capture}/pcrs_sysfs.txt`).trim().split('\n')
      const found = [...pcrs].flatMap(([bank, values]) =>
        [...values].map(([pcr, one]) => `${bank} ${pcr} ${toHex(one).slice(2).toUpperCase()}`),
      )
      const known = lines.map((line) => line.split(' ').slice(0, 2).join(' '))
      assert.deepEqual(
        found.map((line) => line.split(' ').slice(0, 2).join(' ')),
        known,
      )
      // Capture 04's two readings were made with IMA at work between them.
      assert.deepEqual(
        found.filter((line) => !/ 10 /.test(line)),
        lines.filter((line) => !/ 10 /.test(line)),
      )
      assert.deepEqual(parsePcrFile(bytes(found.join('\n'))), pcrs)
      const asJson = [...pcrs].map(([bank, values]) => {
        return [bank, Object.fromEntries([...values].map(([pcr, one]) => [pcr, toHex(one)]))] as const
      })
      assert.deepEqual(parsePcrFile(bytes(json(Object.fromEntries(asJson)))), pcrs)
    })

    it(`reads what tpm2_quote wrote in ${capture}`, () => {
      for (const [file, count] of [
        ['quote_ecc.pcrs', 15],
        ['quote_rsa.pcrs', 11],
      ] as const) {
        const quoted = parsePcrFile(tpmVector(`${capture}/${file}`))
        assert.deepEqual([...quoted.keys()], ['sha256'])
        const values = quoted.get('sha256') ?? new Map<number, Uint8Array>()
        assert.deepEqual(
          [...values.keys()],
          Array.from({ length: count }, (_, i) => i),
        )
        const read = sha256Pcrs(`${capture}/pcrs.yaml`)
        for (const [pcr, one] of values) {
          if (pcr !== 10) assert.equal(toHex(one), toHex(read.get(pcr) ?? new Uint8Array()))
        }
      }
    })
  }

  it('reads several banks of what tpm2_quote writes, in the order of its selection', () => {
    const file = serialized(
      [
        ['sha1', [0, 23]],
        ['sha256', [1]],
      ],
      [hex('11'.repeat(20)), hex('22'.repeat(20)), hex('33'.repeat(32))],
    )
    assert.deepEqual(
      [...parsePcrFile(file)].map(([bank, values]) => [bank, [...values].map(([pcr, one]) => [pcr, toHex(one)])]),
      [
        [
          'sha1',
          [
            [0, `0x${'11'.repeat(20)}`],
            [23, `0x${'22'.repeat(20)}`],
          ],
        ],
        ['sha256', [[1, `0x${'33'.repeat(32)}`]]],
      ],
    )
  })

  it('reads the values of tpm2_eventlog, banks that are not allocated, and the members of others', () => {
    const expected = new Map([['sha256', new Map([[7, new Uint8Array(32)]])]])
    for (const text of [
      `pcrs:\n  sha256:\n    7  : ${value}\n`,
      `  sha1:\n  sha256:\r\n    7 : ${value}\r\n  sha3_256:\n`,
      `sha256 7 ${zeros}`,
      JSON.stringify({ spec: 'x', pcrs: { sha256: { 7: value } } }),
    ]) {
      assert.deepEqual(parsePcrFile(bytes(text)), expected)
    }
  })

  it('leaves out the banks that it does not know by their names', () => {
    const expected = new Map([['sha256', new Map([[7, new Uint8Array(32)]])]])
    for (const text of [
      `sha3_256:\n  7 : ${value}\nsha256:\n  7 : ${value}`,
      `sha3-256 7 ${zeros}\nsha256 7 ${zeros}`,
      json({ sha3_256: { 7: value }, sha256: { 7: value } }),
    ]) {
      assert.deepEqual(parsePcrFile(bytes(text)), expected)
    }
  })

  it('refuses what is in none of the forms', () => {
    for (const text of ['hello', `7 : ${value}`, '[]', '{', '{"pcrs": []}', '{}', '{"pcrs": {"sha256": []}}'])
      refuses('PCR_FILE_FORMAT', text)
    refuses('PCR_FILE_FORMAT', Uint8Array.of(0xff, 0xfe))
  })

  it('refuses PCRs, banks and values that cannot be', () => {
    for (const text of [
      `sha256:\n  24 : ${value}`,
      `sha256:\n  1 : ${value}00`,
      `sha256:\n  1 : ${value.slice(0, -1)}`,
      `sha265:\n  1 : ${value}`,
      `sha256 24 ${zeros}`,
      `sha256 1 ${zeros}\nsha256 2`,
      `sha265 1 ${zeros}`,
      json({ sha256: { 24: value } }),
      json({ sha256: { '0x1': value } }),
      json({ sha256: { 1: 1 } }),
      json({ sha256: { 1: zeros } }),
      json({ sha265: { 1: value } }),
      '{"pcrs": {"__proto__": {"1": ""}}}',
    ])
      refuses('PCR_FILE_INVALID', text)
  })

  it('refuses a PCR that stands there twice', () => {
    refuses('PCR_FILE_REPEATED', `sha256:\n  1 : ${value}\n  1 : ${value}`)
    refuses('PCR_FILE_REPEATED', `sha256 1 ${zeros}\nsha256 01 ${zeros}`)
    refuses('PCR_FILE_REPEATED', json({ sha256: { 1: value, '01': value } }))
    const twice = serialized(
      [
        ['sha256', [1]],
        ['sha256', [1]],
      ],
      [new Uint8Array(32), new Uint8Array(32)],
    )
    refuses('PCR_FILE_REPEATED', twice)
  })

  it('refuses a file without a value, and one that is too large', () => {
    for (const text of ['', ' \n', 'sha256:', json({}), json({ sha256: {} })]) refuses('PCR_FILE_EMPTY', text)
    refuses('PCR_FILE_TOO_LARGE', ' '.repeat(MAX_PCR_FILE_BYTES + 1))
  })

  it('refuses every prefix of what tpm2_quote wrote, and every count that is too large', () => {
    const file = tpmVector('01-ovmf-baseline/quote_ecc.pcrs')
    for (let length = 4; length < file.length; length++) refuses('PCR_FILE_INVALID', file.slice(0, length))
    refuses('PCR_FILE_INVALID', concat(file, Uint8Array.of(0)))
    for (const [offset, wrong] of [
      [0, 17],
      [0, 2],
      [4, 1],
      [6, 5],
      [7, 0xfe],
      [9, 0x80],
      [132, 1],
      [132, 49],
      [136, 9],
      [136, 7],
      [140, 31],
      [140, 65],
    ] as const) {
      const changed = file.with(offset, wrong)
      if (offset === 0 && wrong === 2) changed.set([0xff, 0, 1, 1], 12)
      refuses('PCR_FILE_INVALID', changed)
    }
  })

  it('never throws anything else, whatever is in the file', () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.json().map(bytes),
      fc
        .array(fc.constantFrom('sha256:', 'sha1:', `1 : ${value}`, `sha256 1 ${zeros}`, '{"pcrs":', '\0'), {
          maxLength: 6,
        })
        .map((lines) => bytes(lines.join('\n'))),
      fc.tuple(fc.nat(1199), fc.nat(255)).map(([at, to]) => tpmVector('01-ovmf-baseline/quote_ecc.pcrs').with(at, to)),
    )
    fc.assert(
      fc.property(any, (file) => {
        try {
          for (const [bank, values] of parsePcrFile(file)) {
            for (const [pcr, one] of values) assert.ok(pcr < 24 && one.length === BANKS[bank].length)
          }
        } catch (error) {
          if (!(error instanceof PcrFileError)) throw error
        }
      }),
      { numRuns: 2000 },
    )
  })
})

/** A file as tpm2_quote writes it. */
function serialized(selections: readonly (readonly [BankName, readonly number[]])[], values: readonly Uint8Array[]) {
  const file = new Uint8Array(132 + 4 + 532)
  const view = new DataView(file.buffer)
  view.setUint32(0, selections.length, true)
  selections.forEach(([bank, pcrs], i) => {
    view.setUint16(4 + 8 * i, BANKS[bank].algorithm, true)
    file[6 + 8 * i] = 3
    for (const pcr of pcrs) file[7 + 8 * i + (pcr >> 3)] = (file[7 + 8 * i + (pcr >> 3)] ?? 0) | (1 << (pcr & 7))
  })
  view.setUint32(132, 1, true)
  view.setUint32(136, values.length, true)
  values.forEach((one, i) => {
    view.setUint16(140 + 66 * i, one.length, true)
    file.set(one, 142 + 66 * i)
  })
  return file
}
