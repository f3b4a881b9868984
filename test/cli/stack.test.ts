import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { attestry } from './command.ts'
import { processesOf } from './processes.ts'

describe('the local stack, by command line', function () {
  this.timeout(180_000)
  let dir: string
  const run = async (...args: readonly string[]) => {
    const ended = await attestry(...args, '--dir', dir, '--json')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return ended.json()
  }

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-e2e-'))
    await run('dev', 'up')
  })
  after(async () => {
    await attestry('dev', 'down', '--dir', dir)
    rmSync(dir, { recursive: true, force: true })
  })

  it('passes the doctor', async () => {
    assert.equal((await run('doctor'))['ok'], true)
  })

  it('refuses a configuration with an unknown key, and names the one that was meant', async () => {
    const config = join(dir, 'mistyped.toml')
    writeFileSync(config, `${readFileSync(join(dir, 'agent.toml'), 'utf8')}\nsokcet = "/run/agent.sock"\n`)
    const ended = await attestry('agent', '--config', config, '--json')
    assert.equal(ended.code, 2)
    const { code, message } = ended.json()['error'] as { code: string; message: string }
    assert.equal(code, 'CONFIG_UNKNOWN_KEY')
    assert.match(message, /sokcet.*socket/)
  })

  it('changes nothing when it is brought up twice', async () => {
    const before = await run('dev', 'status')
    await run('dev', 'up')
    assert.deepEqual(await run('dev', 'status'), before)
  })

  it('encrypts, grants, decrypts, and passes the audit with the receipts', async () => {
    const file = (name: string) => join(dir, name)
    writeFileSync(file('letter'), 'Dear customer,\nthis is for your eyes.\n')
    const { dataId } = (await run('data', 'register', '--as', 'alice')) as { dataId: string }
    const about = ['--data', dataId]
    await run('op', 'run', 'encrypt', '--as', 'alice', ...about, '--in', file('letter'), '--out', file('letter.enc'))
    const { grantId } = (await run('grant', 'create', '--as', 'alice', ...about, '--to', 'bob', '--depth', '1')) as {
      grantId: string
    }
    const delegated = (await run('grant', 'delegate', '--as', 'bob', '--grant', grantId, '--to', 'dave')) as {
      grantId: string
    }
    const decrypt = (who: string, grant: string) =>
      attestry(
        ...['op', 'run', 'decrypt', '--as', who, '--grant', grant, '--in', file('letter.enc'), '--out', file('out')],
        ...[...about, '--dir', dir, '--json'],
      )
    assert.equal((await decrypt('dave', delegated.grantId)).code, 0)
    assert.equal(readFileSync(file('out'), 'utf8'), readFileSync(file('letter'), 'utf8'))

    const receipts = ['--receipt', file('letter.enc.receipt.json'), file('out.receipt.json')]
    const report = await run('audit', 'verify', ...receipts)
    assert.deepEqual(
      {
        ok: report['ok'],
        operations: report['operations'],
        verified: report['verified'],
        findings: report['findings'],
      },
      { ok: true, operations: 2, verified: 2, findings: [] },
    )
    assert.equal(report['trust'], 'node')

    await run('grant', 'revoke', grantId, '--as', 'alice')
    const refused = await decrypt('dave', delegated.grantId)
    assert.equal(refused.code, 1)
    assert.equal((refused.json()['error'] as { code: string }).code, 'GRANT_REVOKED')
  })

  it('says which claim failed where a receipt was tampered with', async () => {
    const path = join(dir, 'letter.enc.receipt.json')
    const receipt = JSON.parse(readFileSync(path, 'utf8')) as { record: { dataHash: string } }
    receipt.record.dataHash = `0x${'11'.repeat(32)}`
    writeFileSync(join(dir, 'tampered.json'), JSON.stringify(receipt))
    const ended = await attestry('audit', 'verify', '--receipt', join(dir, 'tampered.json'), '--dir', dir, '--json')
    assert.equal(ended.code, 1)
    const findings = ended.json()['findings'] as readonly { code: string; detail: string }[]
    assert.ok(findings.some(({ code, detail }) => code === 'RECORD_DIFFERS' && detail.includes('dataHash')))
  })

  it('lists hosts, VMMs, grants and keys', async () => {
    const { hostId } = await run('dev', 'up')
    assert.equal((await run('host', 'show', String(hostId)))['assurance'], 'Software')
    assert.equal(((await run('vmm', 'list'))['vmms'] as readonly { status: string }[])[0]?.status, 'Authorised')
    assert.equal(((await run('grant', 'list'))['grants'] as readonly unknown[]).length, 2)
    assert.equal(((await run('key', 'list'))['keys'] as readonly unknown[]).length, 2)
  })

  it('is recognised when it is enrolled or measured again', async () => {
    assert.equal((await run('host', 'enrol'))['registered'], false)
    assert.equal((await run('measure'))['extended'], 0)
    assert.equal((await run('vmm', 'propose'))['proposed'], false)
  })

  it('trusts a changed VMM no more, until approvers who saw its log approve it', async () => {
    appendFileSync(join(dir, 'vmm', 'qemu-system-x86_64'), 'patched\n')
    let proposal: Record<string, unknown>
    do proposal = await run('vmm', 'propose')
    while (proposal['status'] === 'Authorised')
    const approve = (who: string, log: string) =>
      attestry('vmm', 'approve', String(proposal['vmmHash']), '--as', who, '--log', log, '--dir', dir, '--json')
    const log = join(dir, 'vmm.cel')
    const other = join(dir, 'other.cel')
    writeFileSync(other, readFileSync(log).subarray(0, 0))
    const refused = await approve('approver1', other)
    assert.equal(refused.code, 1)
    assert.equal((refused.json()['error'] as { code: string }).code, 'CLAIM_FAILED')
    assert.equal((await approve('approver1', log)).json()['status'], 'Proposed')
    assert.equal((await approve('approver2', log)).json()['status'], 'Authorised')
    assert.equal((await run('doctor'))['ok'], true)
  })

  it('leaves no process behind', async () => {
    await run('dev', 'down')
    assert.deepEqual(processesOf(dir), [])
  })

  it('comes up again as the same host with its records', async () => {
    await run('dev', 'up')
    assert.equal((await run('doctor'))['ok'], true)
    const report = await run('audit', 'verify')
    assert.equal(report['ok'], true)
    assert.equal(report['operations'], 3)
  })
})
