import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { attestry, faultOf } from './command.ts'

const vector = (name: string) => fileURLToPath(new URL(`../vectors/tpm/${name}`, import.meta.url))
const [one, four] = ['01-ovmf-baseline', '04-ovmf-secureboot-shim-grub']
const log = (capture: string) => vector(`${capture}/binary_bios_measurements`)

describe('attestry eventlog', () => {
  let dir: string
  before(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-eventlog-cli-'))))
  after(() => rmSync(dir, { recursive: true }))

  it('prints the JSON that docs/cli.md describes', async () => {
    const ended = await attestry('eventlog', log(one), '--json')
    assert.equal(ended.code, 0)
    const report = ended.json()
    assert.deepEqual(Object.keys(report), ['spec', 'algorithms', 'events', 'pcrs', 'bootState', 'findings'])
    assert.deepEqual(
      [report['spec'], report['algorithms']],
      ['Spec ID Event03', ['sha1', 'sha256', 'sha384', 'sha512']],
    )
    const events = report['events'] as readonly Record<string, unknown>[]
    assert.equal(events.length, 25)
    const { digests, ...event } = events[4] ?? {}
    assert.deepEqual(event, {
      index: 4,
      pcr: 7,
      type: 0x80000001,
      typeName: 'EV_EFI_VARIABLE_DRIVER_CONFIG',
      data: { guid: '8be4df61-93ca-11d2-aa0d-00e098032b8c', name: 'SecureBoot', enabled: false },
      covered: true,
      coveredPart: 'data',
    })
    assert.deepEqual(Object.keys(digests as object), ['sha1', 'sha256', 'sha384', 'sha512'])
    const pcrs = report['pcrs'] as Record<string, Record<string, string>>
    assert.equal(pcrs['sha256']?.['7'], '0x65caf8dd1e0ea7a6347b635d2b379c93b9a1351edc2afc3ecda700e534eb3068')
    assert.deepEqual(report['findings'], [])
  })

  for (const file of ['pcrs.yaml', 'pcrs_sysfs.txt', 'quote_ecc.pcrs', 'quote_rsa.pcrs']) {
    it(`agrees with a capture’s own ${file}, and names what differs from another’s`, async () => {
      const own = await attestry('eventlog', log(four), '--pcrs', vector(`${four}/${file}`), '--json')
      assert.equal(own.code, 0)
      const other = await attestry('eventlog', log(four), '--pcrs', vector(`${one}/${file}`), '--json')
      assert.equal(other.code, 1)
      const differing = (other.json()['findings'] as readonly { code: string; detail: string }[])
        .filter(({ code, detail }) => code === 'PCR_MISMATCH' && detail.includes('sha256'))
        .map(({ detail }) => /PCR (\d+)/.exec(detail)?.[1])
      const expected = ['0', '1', '4', '5', '7', '8', '9', ...(file === 'quote_rsa.pcrs' ? [] : ['14'])]
      assert.deepEqual(
        differing.filter((pcr) => pcr !== '0'),
        expected.filter((pcr) => pcr !== '0'),
      )
    })
  }

  it('takes its own JSON as PCR values', async () => {
    const file = join(dir, 'own.json')
    writeFileSync(file, (await attestry('eventlog', log(one), '--json')).stdout)
    assert.equal((await attestry('eventlog', log(one), '--pcrs', file)).code, 0)
  })

  it('says it in words within 80 columns', async () => {
    const { code, stdout } = await attestry('eventlog', log(four), '--pcrs', vector(`${one}/pcrs.yaml`))
    assert.equal(code, 1)
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.length > 80),
      [],
    )
    assert.match(stdout, /Secure Boot: on \(PK 1, KEK 2, db 2, dbx 1\)/)
    assert.match(stdout, /command line: \/vmlinuz console=ttyS0/)
    assert.match(stdout, /PCR_MISMATCH: PCR 7 of sha256/)
    assert.match(stdout, /44 PCRs compared with what the log replays to: NOT equal/)
  })

  it('refuses files that cannot be read, with a code and exit code 2', async () => {
    const cut = join(dir, 'cut.log')
    writeFileSync(cut, new Uint8Array(33).fill(1, 8))
    for (const [args, code] of [
      [[join(dir, 'absent')], 'FILE_UNREADABLE'],
      [[dir], 'FILE_UNREADABLE'],
      [[cut], 'LOG_TRUNCATED'],
      [['/dev/null'], 'LOG_EMPTY'],
      [['/dev/urandom'], 'LOG_TOO_LARGE'],
      [[log(one), '--pcrs', log(one)], 'PCR_FILE_INVALID'],
      [[log(one), '--pcrs', cut], 'PCR_FILE_INVALID'],
      [[log(one), '--pcrs', '/dev/null'], 'PCR_FILE_EMPTY'],
    ] as const) {
      assert.deepEqual(faultOf(await attestry('eventlog', ...args, '--json')), { exit: 2, code }, args.join(' '))
    }
  })
})
