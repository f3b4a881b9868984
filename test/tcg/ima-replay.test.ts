import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { concat, toHex } from '../../src/core/bytes.ts'
import { BANKS, type BankName, type PcrValues } from '../../src/tcg/bank.ts'
import { COMPUTABLE_BANKS, digest, type ComputableBank } from '../../src/tcg/hash.ts'
import { imaFindings, matchFindings, type ImaFindingCode } from '../../src/tcg/ima-findings.ts'
import { decodeImaLog } from '../../src/tcg/ima-log.ts'
import { matchIma, replayIma, startIma, type ImaScheme, type ImaState } from '../../src/tcg/ima-replay.ts'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { digestField, ENTRY_OF_EACH, field, imaEntry, nameField, text, u32 } from './ima-bytes.ts'
import { CAPTURES, tpmVector } from './tpm-vectors.ts'

type Pcrs = ReadonlyMap<BankName, PcrValues>

const logOf = (capture: string) => decodeImaLog(tpmVector(`${capture}/ima_binary_runtime_measurements`))
const pcrsOf = (capture: string) => parsePcrFile(tpmVector(`${capture}/pcrs.yaml`))

/** What a state gives a PCR. */
function valueOf({ series }: ImaState, bank: ComputableBank, pcr = 10, scheme: ImaScheme = 'hash'): Uint8Array {
  const one = series.find((candidate) => candidate.bank === bank && candidate.scheme === scheme)
  return one?.pcrs.get(pcr) ?? assert.fail(`no PCR ${pcr} of ${bank}`)
}

const given = (bank: BankName, value: Uint8Array, pcr = 10): Pcrs => new Map([[bank, new Map([[pcr, value]])]])
const linesOf = (...args: Parameters<typeof matchIma>) => matchIma(...args).map(({ line }) => line)
const of = (state: ImaState) => state.series.map(({ pcrs }) => Array.from(pcrs, ([pcr, value]) => [pcr, toHex(value)]))

const aggregate = concat(digestField(1), nameField('boot_aggregate'))
const ng = (name: string) => imaEntry(concat(digestField(2), nameField(name)))

describe('matchIma', () => {
  for (const capture of CAPTURES) {
    it(`replays the whole log of ${capture} to PCR 10 of every bank`, () => {
      const { entries } = logOf(capture)
      assert.deepEqual(
        matchIma(entries, pcrsOf(capture)).map(({ bank, line, scheme }) => [bank, line, scheme]),
        [
          ['sha1', entries.length, 'hash'],
          ['sha256', entries.length, 'hash'],
          // This kernel has no SHA-384 and no SHA-512 when IMA begins.
          ['sha384', entries.length, 'sha1-padded'],
          ['sha512', entries.length, 'sha1-padded'],
        ],
      )
    })

    it(`says of ${capture} what evmctl says`, () => {
      const dir = mkdtempSync(join(tmpdir(), 'attestry-ima-'))
      try {
        const pcrs = pcrsOf(capture)
        const files = (['sha1', 'sha256'] as const).flatMap((bank) => {
          const lines = Array.from(
            pcrs.get(bank) ?? [],
            ([pcr, value]) => `PCR-${String(pcr).padStart(2, '0')}: ${toHex(value).slice(2)}\n`,
          )
          writeFileSync(join(dir, bank), lines.join(''))
          return ['--pcrs', `${bank},${join(dir, bank)}`]
        })
        const log = join(dir, 'log')
        writeFileSync(log, tpmVector(`${capture}/ima_binary_runtime_measurements`))
        const { status, stdout, stderr } = spawnSync(
          'evmctl',
          ['ima_measurement', '--ignore-violations', '-v', ...files, log],
          { encoding: 'utf8' },
        )
        const said = Array.from(
          `${stdout}${stderr}`.matchAll(/^(sha\d+) PCR-10: succeed at entry (\d+)$/gm),
          ([, bank, line]) => [bank, Number(line)],
        )
        const ours = matchIma(logOf(capture).entries, pcrs).filter(({ scheme }) => scheme === 'hash')
        assert.deepEqual([status, said], [0, ours.map(({ bank, line }) => [bank, line])])
      } finally {
        rmSync(dir, { recursive: true })
      }
    })
  }

  it('finds every line at which the PCR may have been read', () => {
    const { entries } = logOf('04-ovmf-secureboot-shim-grub')
    for (let line = 1; line <= entries.length; line++) {
      const state = replayIma(entries.slice(0, line), startIma(['sha256']))
      assert.deepEqual(linesOf(entries, given('sha256', valueOf(state, 'sha256'))), [line])
    }
  })

  it('continues a log that was cut at any line', () => {
    const { entries } = logOf('02-ovmf-cmdline-vmm-changed')
    const whole = replayIma(entries)
    const pcrs = pcrsOf('02-ovmf-cmdline-vmm-changed')
    for (let cut = 0; cut <= entries.length; cut++) {
      const [first, second] = [entries.slice(0, cut), entries.slice(cut)]
      const state = replayIma(first)
      assert.deepEqual([of(replayIma(second, state)), replayIma(second, state).lines], [of(whole), whole.lines])
      assert.deepEqual(
        linesOf(second, pcrs, state),
        COMPUTABLE_BANKS.map(() => entries.length),
      )
    }
    const half = replayIma(entries.slice(0, 4))
    assert.deepEqual(linesOf(entries.slice(4), given('sha256', valueOf(half, 'sha256')), half), [4])
    // Without what came before, the second part proves nothing.
    assert.deepEqual(linesOf(entries.slice(4), pcrs), [null, null, null, null])
  })

  it('extends ones for a violation', () => {
    const { entries } = logOf('02-ovmf-cmdline-vmm-changed')
    const before = valueOf(replayIma(entries.slice(0, 6)), 'sha256')
    const after = valueOf(replayIma(entries.slice(0, 7)), 'sha256')
    assert.deepEqual(after, digest('sha256', concat(before, new Uint8Array(32).fill(0xff))))
  })

  it('never mixes a bank’s own hash with the padded one', () => {
    const { entries } = decodeImaLog(concat(imaEntry(aggregate), ng('/a')))
    const [first, second] = entries
    const own = digest('sha256', first?.data ?? text(''))
    const padded = concat(digest('sha1', second?.data ?? text('')), new Uint8Array(12))
    const mixed = digest('sha256', concat(digest('sha256', concat(new Uint8Array(32), own)), padded))
    assert.deepEqual(linesOf(entries, given('sha256', mixed)), [null])
    assert.deepEqual(linesOf(entries, given('sha256', valueOf(replayIma(entries), 'sha256', 10, 'sha1-padded'))), [2])
  })

  it('takes what was extended from the data, never from the logged digest', () => {
    const lie = new Uint8Array(20).fill(9)
    const { entries } = decodeImaLog(imaEntry(aggregate, { digest: lie }))
    assert.deepEqual(linesOf(entries, given('sha1', digest('sha1', concat(new Uint8Array(20), lie)))), [null])
  })

  it('does not take a PCR that was never extended for the beginning of a log', () => {
    const { entries } = decodeImaLog(imaEntry(aggregate))
    assert.deepEqual(linesOf(entries, given('sha256', new Uint8Array(32))), [null])
    assert.deepEqual(linesOf([], given('sha256', new Uint8Array(32))), [0])
    assert.deepEqual(linesOf([], given('sha256', new Uint8Array(32).fill(1))), [null])
  })

  it('hashes the old template as the kernel does: the name padded to 256 bytes', () => {
    const { entries } = decodeImaLog(ENTRY_OF_EACH[0] ?? text(''))
    const name = new Uint8Array(256)
    name.set(text('boot_aggregate'))
    const hash = digest('sha1', concat(new Uint8Array(20).fill(7), name))
    assert.deepEqual(linesOf(entries, given('sha1', digest('sha1', concat(new Uint8Array(20), hash)))), [1])
  })

  it('starts PCRs of a dynamic launch at ones, and keeps PCRs apart', () => {
    const { entries } = decodeImaLog(concat(imaEntry(aggregate), imaEntry(aggregate, { pcr: 17 })))
    const hash = digest('sha256', aggregate)
    const pcrs: Pcrs = new Map([
      [
        'sha256',
        new Map([
          [10, digest('sha256', concat(new Uint8Array(32), hash))],
          [17, digest('sha256', concat(new Uint8Array(32).fill(0xff), hash))],
        ]),
      ],
    ])
    assert.deepEqual(
      matchIma(entries, pcrs).map(({ pcr, line }) => [pcr, line]),
      [
        [10, 1],
        [17, 2],
      ],
    )
  })
})

describe('imaFindings', () => {
  const codes = (...entries: readonly Uint8Array[]) =>
    imaFindings(decodeImaLog(concat(...entries), 'sha1')).map(({ code, event }) => [code, event])

  it('finds nothing in a log as it should be', () => {
    assert.deepEqual(codes(imaEntry(aggregate), ng('/bin/x')), [])
  })

  const found: Readonly<Record<string, readonly [readonly Uint8Array[], number]>> = {
    TEMPLATE_DIGEST: [[imaEntry(aggregate), imaEntry(aggregate, { digest: new Uint8Array(20).fill(1) })], 1],
    VIOLATION: [[imaEntry(aggregate), imaEntry(aggregate, { violation: true })], 1],
    TEMPLATE_UNKNOWN: [[imaEntry(aggregate), imaEntry(text('x'), { template: 'new' })], 1],
    PCR_OTHER: [[imaEntry(aggregate), imaEntry(aggregate, { pcr: 11 })], 1],
    DIGEST_WEAK: [
      [imaEntry(aggregate), imaEntry(concat(field(text('sha1:\0'), new Uint8Array(20)), nameField('/x')))],
      1,
    ],
    BOOT_AGGREGATE_MISSING: [[ng('/bin/x')], 0],
  }
  for (const [code, [entries, at]] of Object.entries(found)) {
    it(`names ${code}`, () => assert.deepEqual(codes(...entries), [[code, at]]))
  }

  it('notices a template’s name that was changed into one of the same fields by nothing but the name', () => {
    // No digest covers the name: what a signature is, and what a buffer, cannot be believed.
    const data = concat(digestField(1), nameField('boot_aggregate'), field(Uint8Array.of(1)))
    const [a, b] = ['ima-sig', 'ima-buf'].map((template) => decodeImaLog(imaEntry(data, { template })))
    assert.deepEqual(of(replayIma(a?.entries ?? [])), of(replayIma(b?.entries ?? [])))
  })
})

describe('matchFindings', () => {
  const log = decodeImaLog(concat(imaEntry(aggregate), ng('/a'), ng('/b')))
  const at = (line: number) => replayIma(log.entries.slice(0, line))
  const codes = (pcrs: Pcrs): readonly ImaFindingCode[] =>
    matchFindings(log, pcrs, matchIma(log.entries, pcrs)).map(({ code }) => code)

  it('finds nothing where the log ends at the PCR', () => {
    assert.deepEqual(codes(given('sha256', valueOf(at(3), 'sha256'))), [])
  })

  it('names PCR_MISMATCH, SHA1_PADDED, ENTRIES_AFTER, LINES_DIFFER and PCR_NOT_COMPARED', () => {
    assert.deepEqual(codes(given('sha256', new Uint8Array(32).fill(1))), ['PCR_MISMATCH'])
    assert.deepEqual(codes(given('sha512', valueOf(at(3), 'sha512', 10, 'sha1-padded'))), ['SHA1_PADDED'])
    assert.deepEqual(codes(given('sha256', valueOf(at(2), 'sha256'))), ['ENTRIES_AFTER'])
    const two: Pcrs = new Map([...given('sha1', valueOf(at(2), 'sha1')), ...given('sha256', valueOf(at(3), 'sha256'))])
    assert.deepEqual(codes(two), ['LINES_DIFFER'])
    assert.deepEqual(codes(given('sha256', new Uint8Array(32), 11)), ['PCR_NOT_COMPARED'])
    assert.deepEqual(codes(given('sm3_256', new Uint8Array(32))), ['PCR_NOT_COMPARED', 'PCR_NOT_COMPARED'])
  })

  it('names BOOT_AGGREGATE_OTHER where the firmware’s PCRs are not those that IMA saw', () => {
    for (const capture of CAPTURES) {
      const [captured, pcrs] = [logOf(capture), pcrsOf(capture)]
      const said = (expected: Pcrs) =>
        matchFindings(captured, expected, matchIma(captured.entries, expected)).map(({ code }) => code)
      assert.ok(!said(pcrs).includes('BOOT_AGGREGATE_OTHER'))
      for (let pcr = 0; pcr < 10; pcr++) {
        const values = new Map(pcrs.get('sha256')).set(pcr, new Uint8Array(BANKS.sha256.length).fill(1))
        assert.ok(said(new Map(pcrs).set('sha256', values)).includes('BOOT_AGGREGATE_OTHER'), `PCR ${pcr}`)
      }
    }
  })

  it('knows SHA-1’s boot aggregate, over PCR 0 to 7', () => {
    const values = Array.from({ length: 8 }, (_, pcr) => new Uint8Array(20).fill(pcr))
    const entry = (hash: Uint8Array) =>
      decodeImaLog(imaEntry(concat(hash, u32(14), text('boot_aggregate')), { template: 'ima' }))
    const pcrs: Pcrs = new Map([['sha1', new Map(values.map((value, pcr) => [pcr, value]))]])
    const said = (hash: Uint8Array) => matchFindings(entry(hash), pcrs, []).map(({ code }) => code)
    assert.deepEqual(said(digest('sha1', concat(...values))), ['PCR_NOT_COMPARED'])
    assert.deepEqual(said(new Uint8Array(20)), ['PCR_NOT_COMPARED', 'BOOT_AGGREGATE_OTHER'])
  })
})
