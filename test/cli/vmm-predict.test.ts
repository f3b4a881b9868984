import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { decodeCanonicalLog } from '../../src/tcg/canonical-event-log.ts'
import { sha256 } from '../../src/record/hash.ts'
import { attestry, faultOf } from './command.ts'

interface Predicted {
  readonly vmmHash: string
  readonly manifestHash: string
  readonly changes: readonly { change: string; name: string }[]
  readonly changedWhileRunning: number
  readonly pcrs: Readonly<Record<string, string>>
  readonly ledger: { status: string; entered: boolean } | null
}

const QEMU = 'vmm/qemu-system-x86_64'

describe('attestry vmm predict', function () {
  this.timeout(240_000)
  let dir: string
  const path = (name: string) => join(dir, name)
  const predict = (...args: readonly string[]) => attestry('vmm', 'predict', ...args, '--dir', dir, '--json')
  const run = async (...args: readonly string[]) => {
    const ended = await attestry(...args, '--dir', dir, '--json')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return ended.json()
  }
  const predicted = async (...args: readonly string[]) => (await run('vmm', 'predict', ...args)) as unknown as Predicted
  const vmms = async () =>
    (await run('vmm', 'list'))['vmms'] as readonly { vmmHash: string; status: string; isProven: boolean }[]
  const write = (name: string, text: string) => {
    mkdirSync(dirname(path(name)), { recursive: true })
    writeFileSync(path(name), text)
    return path(name)
  }

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-predict-'))
    await run('dev', 'up')
  })
  after(async () => {
    await attestry('dev', 'down', '--dir', dir)
    rmSync(dir, { recursive: true, force: true })
  })

  it('gives what runs now where nothing is updated', async () => {
    const now = await predicted()
    assert.deepEqual(now.changes, [])
    assert.equal(now.ledger, null)
    assert.deepEqual(
      (await vmms()).map(({ vmmHash }) => vmmHash),
      [now.vmmHash],
    )
  })

  it('gives the VMM of an update before it, which is authorised before it and proven after it', async () => {
    const [next, log] = [write('next/qemu', 'another QEMU\n'), path('next.cel')]
    const update = ['--component', `${QEMU}=${next}`]
    const before = await predicted(...update, '--out', log, '--submit', '--as', 'approver1')
    assert.deepEqual(
      before.changes.map(({ change, name }) => [change, name]),
      [['changed', QEMU]],
    )
    assert.deepEqual([before.ledger?.status, before.ledger?.entered], ['Proposed', true])
    assert.equal(sha256(readFileSync(log)), before.manifestHash)
    assert.ok(decodeCanonicalLog(readFileSync(log)).some(({ event }) => event.name === QEMU))
    assert.equal((await predicted(...update, '--submit', '--as', 'approver2')).ledger?.entered, false)
    // As docs/evidence.md has it, "Update a VMM without downtime".
    await run('vmm', 'approve', before.vmmHash, '--log', log, '--as', 'approver1')
    assert.equal(
      (await run('vmm', 'approve', before.vmmHash, '--log', log, '--as', 'approver2'))['status'],
      'Authorised',
    )
    const stateOf = async () => {
      const found = (await vmms()).find(({ vmmHash }) => vmmHash === before.vmmHash)
      return [found?.status, found?.isProven]
    }
    assert.deepEqual(await stateOf(), ['Authorised', false])

    await run('dev', 'down')
    renameSync(next, path(QEMU))
    const up = await run('dev', 'up')
    assert.equal(up['vmmHash'], before.vmmHash)
    const measured = await run('measure')
    assert.equal(measured['extended'], 0)
    assert.deepEqual(await stateOf(), ['Authorised', true])
    assert.equal(readFileSync(path('vmm.cel')).equals(readFileSync(log)), true)
    assert.equal((await run('doctor'))['ok'], true)
    assert.equal((await run('audit', 'verify'))['ok'], true)
  })

  it('says what the same change gives that is made while the host runs', async () => {
    const now = await predicted()
    // In one step: a file that is written in place may be seen, and extended, half written too.
    writeFileSync(path('changed'), 'changed while it runs\n')
    renameSync(path('changed'), path(QEMU))
    await run('measure')
    const then = await predicted()
    assert.equal(then.changedWhileRunning, 1)
    assert.notEqual(then.vmmHash, now.vmmHash)
    const { vmmHash } = await run('vmm', 'propose')
    assert.notEqual(vmmHash, then.vmmHash)
    const text = await attestry('vmm', 'predict', '--dir', dir)
    assert.match(text.stdout, /extends each change, and is another VMM until it is rebooted\.\nThis boot has seen 1/)
    assert.ok(
      text.stdout.split('\n').every((line) => line.length <= 80),
      text.stdout,
    )
  })

  it('lays a directory over the system', async () => {
    const file = path(QEMU)
    const packaged = write(`tree${file}`, 'a packaged QEMU\n')
    const overlaid = await predicted('--root', path('tree'))
    assert.deepEqual(
      overlaid.changes.map(({ name }) => name),
      [QEMU],
    )
    assert.equal(overlaid.vmmHash, (await predicted('--component', `${QEMU}=${packaged}`)).vmmHash)
    assert.deepEqual(faultOf(await predict('--root', path('tree'), '--whole')), { exit: 1, code: 'COMPONENT_MISSING' })
  })

  it('takes the firmware’s PCRs from a file or the TPM, and refuses those that firmware did not extend', async () => {
    const config = path('firmware.toml')
    const text = readFileSync(path('agent.toml'), 'utf8')
    writeFileSync(config, text.replace(/selection = .*/, 'selection = [ 0, 13 ]'))
    const pcrs = (value: string) =>
      write('pcrs.json', JSON.stringify({ pcrs: { sha256: { '0': `0x${value.repeat(32)}` } } }))
    const [one, two] = [
      await predicted('--config', config, '--pcrs', pcrs('11')),
      await predicted('--config', config, '--pcrs', pcrs('22')),
    ]
    assert.deepEqual(one.pcrs, { '0': `0x${'11'.repeat(32)}` })
    assert.equal(one.manifestHash, two.manifestHash)
    assert.notEqual(one.vmmHash, two.vmmHash)
    assert.deepEqual(faultOf(await predict('--config', config)), { exit: 1, code: 'PCR_ZERO' })
    const other = write('other.json', JSON.stringify({ pcrs: { sha256: { '7': `0x${'11'.repeat(32)}` } } }))
    assert.deepEqual(faultOf(await predict('--config', config, '--pcrs', other)), { exit: 2, code: 'USAGE' })
  })

  it('refuses what it cannot use, each with its code', async () => {
    for (const [args, exit, code] of [
      [['--component', 'qemu'], 2, 'USAGE'],
      [['--component', `qemu=${path('agent.toml')}`], 2, 'COMPONENT_UNKNOWN'],
      [['--component', `${QEMU}=${path('absent')}`], 1, 'COMPONENT_MISSING'],
      [['--root', path('absent')], 2, 'FILE_UNREADABLE'],
      [['--whole'], 2, 'USAGE'],
      [['--out', path('absent/x')], 2, 'FILE_UNWRITABLE'],
      [['--submit'], 2, 'USAGE'],
      [['--submit', '--as', 'alice', '--component', `vmm/new=${path('agent.toml')}`], 1, 'REVERTED'],
    ] as const) {
      assert.deepEqual(faultOf(await predict(...args)), { exit, code }, args.join(' '))
    }
  })

  it('has a predicted VMM approved by the log and the PCRs that explain it, and by no others', async () => {
    const config = path('firmware.toml')
    const values = (name: string, value: string) =>
      write(name, JSON.stringify({ pcrs: { sha256: { '0': `0x${value.repeat(32)}` } } }))
    const [pcrs, others] = [values('pcrs.json', '11'), values('others.json', '22')]
    const [log, otherLog] = [path('vmm-next.cel'), path('vmm-other.cel')]
    const added = ['--component', `vmm/added=${path('agent.toml')}`, '--config', config]
    const submit = ['--submit', '--as', 'approver1']
    const { vmmHash } = await predicted(...added, '--pcrs', pcrs, '--out', log, ...submit)
    await predicted('--config', config, '--pcrs', pcrs, '--out', otherLog)
    const approve = (who: string, ...more: readonly string[]) =>
      attestry('vmm', 'approve', vmmHash, '--as', who, ...more, '--dir', dir, '--json')
    for (const [claims, ...more] of [
      [/pcr-0, pcr-digest\); the other PCRs are explained by --pcrs/, '--log', log],
      [/\(pcr-digest\)/, '--log', log, '--pcrs', others],
      [/\(manifest, pcr-digest\)/, '--log', otherLog, '--pcrs', pcrs],
    ] as const) {
      const refused = await approve('approver1', ...more)
      assert.deepEqual(faultOf(refused), { exit: 1, code: 'CLAIM_FAILED' })
      assert.match(refused.stdout, claims)
    }
    assert.deepEqual(faultOf(await approve('approver1', '--pcrs', pcrs)), { exit: 2, code: 'USAGE' })
    const seen = await attestry(
      ...['vmm', 'approve', vmmHash, '--as', 'approver1', '--log', log, '--pcrs', pcrs, '--dir', dir],
    )
    assert.equal(seen.code, 0, seen.stderr)
    assert.match(seen.stdout + seen.stderr, /component +vmm\/added/)
    assert.equal((await approve('approver2', '--log', log, '--pcrs', pcrs)).json()['status'], 'Authorised')
  })
})
