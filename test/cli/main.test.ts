import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { attestry, attestryIn, faultOf } from './command.ts'

const commands = [
  ['dev', 'up'],
  ['dev', 'down'],
  ['dev', 'status'],
  ['demo'],
  ['agent'],
  ['doctor'],
  ['measure'],
  ['ledger', 'deploy'],
  ['ledger', 'check'],
  ['eventlog'],
  ['ima'],
  ['pcrs'],
  ['host', 'enrol'],
  ['host', 'request'],
  ['host', 'challenge'],
  ['host', 'answer'],
  ['host', 'register'],
  ['host', 'show'],
  ['host', 'suspend'],
  ['host', 'reinstate'],
  ['host', 'retire'],
  ['vmm', 'propose'],
  ['vmm', 'approve'],
  ['vmm', 'revoke'],
  ['vmm', 'list'],
  ['data', 'register'],
  ['data', 'show'],
  ['data', 'offer'],
  ['data', 'accept'],
  ['grant', 'create'],
  ['grant', 'delegate'],
  ['grant', 'submit'],
  ['grant', 'revoke'],
  ['grant', 'cancel'],
  ['grant', 'list'],
  ['op', 'run'],
  ['key', 'list'],
  ['key', 'generate'],
  ['key', 'probe'],
  ['trust', 'add'],
  ['trust', 'list'],
  ['trust', 'check'],
  ['audit', 'verify'],
] as const

describe('attestry', () => {
  let dir: string
  before(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-cli-'))))
  after(() => rmSync(dir, { recursive: true }))

  it('explains every command with an example', async () => {
    const poor: unknown[] = []
    for (const words of commands) {
      const help = await attestry(...words, '--help')
      if (help.code !== 0 || !/Examples?:\n {2}attestry /.test(help.stdout)) poor.push(words)
    }
    assert.deepEqual(poor, [])
  })

  it('refuses a word that is no command, and says which was meant', async () => {
    const { code, stderr, stdout } = await attestry('adit')
    assert.equal(code, 2)
    assert.match(stderr, /unknown command 'adit'[\s\S]*Did you mean audit\?/)
    assert.equal(stdout, '')
  })

  it('refuses an option that is not there', async () => {
    const { code, stderr } = await attestry('audit', 'verify', '--recipt', 'x')
    assert.equal(code, 2)
    assert.match(stderr, /unknown option '--recipt'[\s\S]*--receipt/)
  })

  it('says how to start a stack where none is', async () => {
    const { code, stderr } = await attestry('audit', 'verify', '--dir', dir)
    assert.equal(code, 2)
    assert.match(stderr, /no local stack in .*dev up.*\(STACK_MISSING\)/)
  })

  it('gives an error as one object with --json', async () => {
    const ended = await attestry('vmm', 'list', '--dir', dir, '--json')
    assert.equal(ended.code, 2)
    assert.equal(ended.stderr, '')
    assert.equal((ended.json()['error'] as { code: string }).code, 'STACK_MISSING')
  })

  it('gives a misuse as one object with --json', async () => {
    const ended = await attestry('grant', 'revoke', '0x12', '--json')
    assert.equal(ended.code, 2)
    assert.equal((ended.json()['error'] as { code: string }).code, 'USAGE')
  })

  it('refuses an endpoint without a deployment file', async () => {
    const ended = await attestry('vmm', 'list', '--rpc', 'http://127.0.0.1:1', '--json')
    assert.equal(ended.code, 2)
    assert.match(ended.stdout, /--rpc and --deployment go together/)
  })

  it('refuses a deployment file that is not one', async () => {
    const file = join(dir, 'deployment.json')
    writeFileSync(file, '{"chainId": 1}')
    const ended = await attestry('vmm', 'list', '--rpc', 'http://127.0.0.1:1', '--deployment', file, '--json')
    assert.equal(ended.code, 2)
    assert.equal((ended.json()['error'] as { code: string }).code, 'DEPLOYMENT_INVALID')
  })

  it('refuses a file that is not there', async () => {
    const ended = await attestry('demo', '--file', join(dir, 'absent'), '--json')
    assert.equal(ended.code, 2)
    assert.equal((ended.json()['error'] as { code: string }).code, 'FILE_UNREADABLE')
  })

  it('says which package is missing where no software TPM is installed', async () => {
    const ended = await attestryIn({ PATH: dir }, 'dev', 'up', '--dir', join(dir, 'stack'), '--json')
    assert.deepEqual(faultOf(ended), { exit: 2, code: 'PROGRAM_MISSING' })
    assert.match(ended.stdout, /swtpm.*Debian package/)
    assert.doesNotMatch(ended.stderr, / at /)
    const { processes } = (await attestry('dev', 'status', '--dir', join(dir, 'stack'), '--json')).json()
    assert.deepEqual(
      (processes as readonly { running: boolean }[]).filter(({ running }) => running),
      [],
    )
  })

  it('says that nothing runs where nothing does', async () => {
    const status = await attestry('dev', 'status', '--dir', dir, '--json')
    assert.equal(status.code, 1)
    assert.deepEqual(status.json(), { ok: false, dir, processes: [] })
    const down = await attestry('dev', 'down', '--dir', dir, '--json')
    assert.equal(down.code, 0)
    assert.deepEqual(down.json(), { ok: true, dir, stopped: [] })
  })
})
