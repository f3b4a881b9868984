import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { concat } from '../../src/core/bytes.ts'
import { digestField, imaEntry, nameField } from '../tcg/ima-bytes.ts'
import { attestry, faultOf } from './command.ts'

const vector = (name: string) => fileURLToPath(new URL(`../vectors/tpm/${name}`, import.meta.url))
const VIOLATED = '02-ovmf-cmdline-vmm-changed'

describe('attestry ima', () => {
  let dir: string
  before(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-ima-'))))
  after(() => rmSync(dir, { recursive: true }))

  const run = (log: string, pcrs: string) => attestry('ima', vector(log), '--pcrs', vector(pcrs), '--json')

  it('says the same of a log in both forms, beside PCRs in each form', async () => {
    const answers = []
    for (const form of ['binary', 'ascii']) {
      for (const pcrs of ['pcrs.yaml', 'pcrs_sysfs.txt']) {
        const { code, ...ended } = await run(`${VIOLATED}/ima_${form}_runtime_measurements`, `${VIOLATED}/${pcrs}`)
        const { form: said, ...rest } = ended.json()
        assert.deepEqual([code, said], [0, form])
        answers.push(rest)
      }
    }
    for (const answer of answers) assert.deepEqual(answer, answers[0])
    const { ok, bank, entries, matches, findings } = answers[0] as {
      ok: boolean
      bank: string
      entries: readonly Record<string, unknown>[]
      matches: unknown
      findings: readonly Record<string, unknown>[]
    }
    assert.deepEqual([ok, bank, entries.length], [true, 'sha1', 8])
    assert.deepEqual(entries[1], {
      index: 1,
      pcr: 10,
      template: 'ima-sig',
      templateDigest: '0x31868aa90b337bc005a540c3a12315ffe75db7eb',
      violation: false,
      covered: true,
      digestType: null,
      algorithm: 'sha256',
      fileDigest: '0x1166c2dcdb1438f59e03fe795b85d1db45565df008048fdb3139e78f97a682ff',
      path: '/mnt/vmm/bin/fake-vmm',
      fields: { sig: '0x' },
    })
    assert.deepEqual([entries[6]?.['violation'], entries[6]?.['covered']], [true, false])
    const padded = 'sha1-padded'
    assert.deepEqual(matches, [
      { bank: 'sha1', pcr: 10, line: 8, scheme: 'hash' },
      { bank: 'sha256', pcr: 10, line: 8, scheme: 'hash' },
      { bank: 'sha384', pcr: 10, line: 8, scheme: padded },
      { bank: 'sha512', pcr: 10, line: 8, scheme: padded },
    ])
    assert.deepEqual(
      findings.map(({ code, event }) => [code, event]),
      [
        ['VIOLATION', 6],
        ['SHA1_PADDED', null],
        ['SHA1_PADDED', null],
      ],
    )
  })

  it('refuses PCRs that the log reaches at no line, and covers nothing then', async () => {
    const ended = await run(`${VIOLATED}/ima_binary_runtime_measurements`, '01-ovmf-baseline/pcrs.yaml')
    const { ok, entries } = ended.json() as { ok: boolean; entries: readonly { covered: boolean }[] }
    assert.deepEqual([ended.code, ok, entries.filter(({ covered }) => covered).length], [1, false, 0])
  })

  it('covers nothing where one bank is reached and another is not', async () => {
    const pcrs = join(dir, 'contradiction.txt')
    const lines = readFileSync(vector(`${VIOLATED}/pcrs_sysfs.txt`), 'utf8')
    writeFileSync(pcrs, lines.replace(/^sha256 10 .*$/m, `sha256 10 ${'0A'.repeat(32)}`))
    const log = vector(`${VIOLATED}/ima_binary_runtime_measurements`)
    const ended = await attestry('ima', log, '--pcrs', pcrs, '--json')
    const { entries, matches } = ended.json() as {
      entries: readonly { covered: boolean }[]
      matches: readonly { line: number | null }[]
    }
    assert.deepEqual([ended.code, entries.some(({ covered }) => covered)], [1, false])
    assert.deepEqual(
      matches.map(({ line }) => line),
      [8, null, 8, 8],
    )
  })

  it('refuses PCRs among which there is none that the log extends', async () => {
    const pcrs = join(dir, 'other.json')
    writeFileSync(pcrs, JSON.stringify({ pcrs: { sha256: { 0: `0x${'00'.repeat(32)}` } } }))
    const log = vector(`${VIOLATED}/ima_binary_runtime_measurements`)
    assert.equal((await attestry('ima', log, '--pcrs', pcrs)).code, 1)
  })

  it('covers the entries up to the line that is reached', async () => {
    const log = join(dir, 'longer')
    const more = imaEntry(concat(digestField(1), nameField('/later')))
    writeFileSync(log, concat(readFileSync(vector(`${VIOLATED}/ima_binary_runtime_measurements`)), more))
    const ended = await attestry('ima', log, '--pcrs', vector(`${VIOLATED}/pcrs.yaml`), '--json')
    const { entries, findings } = ended.json() as {
      entries: readonly { covered: boolean }[]
      findings: readonly { code: string }[]
    }
    assert.equal(ended.code, 0)
    assert.deepEqual(
      entries.map(({ covered }) => covered),
      [true, true, true, true, true, true, false, true, false],
    )
    assert.ok(findings.some(({ code }) => code === 'ENTRIES_AFTER'))
  })

  it('shows no control characters, and nothing wider than 80 columns', async () => {
    const log = join(dir, 'names')
    const entry = (name: string) => imaEntry(concat(digestField(1), nameField(name)))
    writeFileSync(log, concat(entry('boot_aggregate'), entry('/x\n\x1b[2J'), entry(`/${'long/'.repeat(40)}end`)))
    const { code, stdout } = await attestry('ima', log)
    assert.equal(code, 0)
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f]/)
    assert.match(stdout, /\/x\\x0a\\x1b\[2J/)
    assert.match(stdout, /…\S+long\/end$/m)
    assert.ok(Math.max(...stdout.split('\n').map((line) => line.length)) <= 80)
  })

  it('says what is wrong with a file that it cannot read', async () => {
    const log = vector(`${VIOLATED}/ima_binary_runtime_measurements`)
    writeFileSync(join(dir, 'cut'), readFileSync(log).subarray(0, 100))
    assert.deepEqual(faultOf(await attestry('ima', join(dir, 'cut'), '--json')), { exit: 2, code: 'IMA_MALFORMED' })
    assert.deepEqual(faultOf(await attestry('ima', join(dir, 'none'), '--json')), { exit: 2, code: 'FILE_UNREADABLE' })
    const pcrs = await attestry('ima', log, '--pcrs', log, '--json')
    assert.equal(pcrs.code, 2)
    assert.match(String(faultOf(pcrs).code), /^PCR_FILE_/)
  })
})
