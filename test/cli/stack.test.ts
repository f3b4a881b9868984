import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { appendFileSync, cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { parse } from 'smol-toml'
import { parsePcrFile } from '../../src/tcg/pcr-file.ts'
import { attestry, faultOf } from './command.ts'
import { processesOf } from './processes.ts'

describe('the local stack, by command line', function () {
  this.timeout(180_000)
  let dir: string
  const run = async (...args: readonly string[]) => {
    const ended = await attestry(...args, '--dir', dir, '--json')
    assert.equal(ended.code, 0, ended.stdout + ended.stderr)
    return ended.json()
  }

  /** A copy of the host's configuration with something else in it. */
  const edited = (name: string, pattern: RegExp | string, text: string) => {
    const before = readFileSync(join(dir, 'agent.toml'), 'utf8')
    const after = before.replaceAll(typeof pattern === 'string' ? pattern : new RegExp(pattern, 'gm'), text)
    assert.notEqual(after, before)
    const path = join(dir, name)
    writeFileSync(path, after)
    return path
  }
  const keyList = (config: string) => attestry('key', 'list', '--config', config, '--json')
  const doctor = async (config: string) => {
    const ended = await attestry('doctor', '--config', config, '--json')
    const checks = ended.json()['checks'] as readonly { check: string; ok: boolean; found: string }[]
    return { code: ended.code, faults: checks.flatMap(({ check, ok, found }) => (ok ? [] : [`${check}: ${found}`])) }
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

  it('collects evidence that the policy made of it takes, and none for another nonce', async () => {
    const [evidence, policy] = [join(dir, 'host.json'), join(dir, 'policy.toml')]
    const nonce = `0x${'5a'.repeat(20)}`
    const collected = await run('evidence', 'collect', '--nonce', nonce, '--out', evidence)
    assert.deepEqual([collected['nonce'], collected['selection']], [nonce, { bank: 'sha256', pcrs: [13] }])
    const quiet = async (...args: readonly string[]) => {
      const ended = await attestry('evidence', ...args, '--json')
      return { code: ended.code, ok: ended.json()['ok'] }
    }
    assert.deepEqual(await quiet('policy', evidence, '--out', policy, '--force'), { code: 0, ok: true })
    const trusted = ['--policy', policy, '--trust', join(dir, 'trust')]
    assert.deepEqual(await quiet('appraise', evidence, ...trusted, '--nonce', nonce), { code: 0, ok: true })
    assert.deepEqual(await quiet('appraise', evidence, ...trusted, '--nonce', '00'.repeat(8)), { code: 1, ok: false })
  })

  it('reads every PCR of the TPM, in a form that it takes itself', async () => {
    const { pcrs } = (await run('pcrs')) as { pcrs: Record<string, Record<string, string>> }
    const { pcr, value } = await run('measure')
    assert.equal(pcrs['sha256']?.[String(pcr)], value)
    assert.equal(Object.keys(pcrs['sha256'] ?? {}).length, 24)
    assert.ok(parsePcrFile(new TextEncoder().encode(JSON.stringify({ pcrs }))).has('sha256'))
    const { stdout } = await attestry('pcrs', '--dir', dir)
    assert.match(stdout, /^sha256\n {3}0 {2}[0-9a-f]{64}$/m)
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
    const { error, receiptFile } = refused.json() as { error: { code: string; message: string }; receiptFile: string }
    assert.equal(error.code, 'GRANT_REVOKED')
    assert.ok(error.message.includes(receiptFile))
    assert.notEqual(receiptFile, file('out.receipt.json'), 'the receipt of the result that is there stays')
    assert.equal((await run('audit', 'verify', '--receipt', receiptFile))['ok'], true)
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

  it('asks nothing of the agent where the result could not be kept', async () => {
    const { dataId } = (await run('data', 'register', '--as', 'carol')) as { dataId: string }
    const { hostId } = await run('dev', 'up')
    const before = (await run('host', 'show', String(hostId)))['nextSeq']
    const order = ['op', 'run', 'encrypt', '--as', 'carol', '--data', dataId, '--in', join(dir, 'letter')]
    const ended = await attestry(...order, '--out', join(dir, 'absent', 'x'), '--dir', dir, '--json')
    assert.equal(ended.code, 2)
    assert.equal((ended.json()['error'] as { code: string }).code, 'FILE_UNWRITABLE')
    assert.equal((await run('host', 'show', String(hostId)))['nextSeq'], before)
  })

  it('takes no old answer for a new one', async () => {
    const { hostId } = await run('dev', 'up')
    const receipt = JSON.parse(readFileSync(join(dir, 'letter.enc.receipt.json'), 'utf8')) as {
      record: { dataId: string }
    }
    const answer = Buffer.from(JSON.stringify({ receipt, transaction: null, steps: [] })).toString('base64url')
    const result = readFileSync(join(dir, 'letter.enc'))
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        if (request.method === 'GET') response.end(JSON.stringify({ hostId }))
        else response.writeHead(200, { 'attestry-answer': answer }).end(result)
      })
    })
    const socket = join(dir, 'replaying.sock')
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    try {
      const order = ['op', 'run', 'encrypt', '--as', 'alice', '--data', receipt.record.dataId, '--socket', socket]
      const files = ['--in', join(dir, 'letter'), '--out', join(dir, 'replayed')]
      const ended = await attestry(...order, ...files, '--dir', dir, '--json')
      assert.equal((ended.json()['error'] as { code: string }).code, 'ANSWER_INVALID')
      assert.match(ended.stdout, /another request.*another salt.*another result/)
      assert.equal(existsSync(join(dir, 'replayed')), false)
    } finally {
      server.close()
    }
  })

  it('lists hosts, VMMs, grants and keys', async () => {
    const { hostId } = await run('dev', 'up')
    assert.equal((await run('host', 'show', String(hostId)))['assurance'], 'Software')
    assert.equal(((await run('vmm', 'list'))['vmms'] as readonly { status: string }[])[0]?.status, 'Authorised')
    assert.equal(((await run('grant', 'list'))['grants'] as readonly unknown[]).length, 2)
    assert.equal(((await run('key', 'list'))['keys'] as readonly unknown[]).length, 2)
  })

  it('cannot steal keys from its HSM', async () => {
    const { ok, keys } = await run('key', 'probe')
    assert.deepEqual([ok, keys], [true, { ledger: { ok: true, reasons: [] }, data: { ok: true, reasons: [] } }])
    const ended = await attestry('key', 'probe', '--dir', dir)
    assert.match(ended.stdout, /ledger key {2}kept\n {2}\d+ attempts, \d+ refused, \d+ unavailable\n/)
    assert.ok(ended.stdout.split('\n').every((line) => line.length <= 80))
  })

  it('is recognised when it is enrolled or measured again', async () => {
    assert.equal((await run('host', 'enrol'))['registered'], false)
    assert.equal((await run('measure'))['extended'], 0)
    assert.equal((await run('vmm', 'propose'))['proposed'], false)
  })

  it('runs no second agent on one configuration', async () => {
    const ended = await attestry('agent', '--dir', dir, '--json')
    assert.deepEqual(faultOf(ended), { exit: 2, code: 'JOURNAL_LOCKED' })
  })

  it('says that a module is missing, or that no token has the label', async () => {
    const missing = edited('module.toml', /^module = .*$/, 'module = "/nowhere/libpkcs11.so"')
    assert.deepEqual(faultOf(await keyList(missing)), { exit: 3, code: 'MODULE_MISSING' })
    const unknown = edited('token.toml', /^token = .*$/, 'token = "somebody-elses"')
    assert.deepEqual(faultOf(await keyList(unknown)), { exit: 3, code: 'TOKEN_NOT_FOUND' })
  })

  it('says that a PIN is wrong, and the same again', async () => {
    const pin = join(dir, 'wrong-pin')
    writeFileSync(pin, '0000', { mode: 0o600 })
    const config = edited('pin.toml', /^pin_file = .*$/, `pin_file = "${pin}"`)
    const wrong = { exit: 3, code: 'PIN_INCORRECT' }
    assert.deepEqual([faultOf(await keyList(config)), faultOf(await keyList(config))], [wrong, wrong])
    assert.equal(((await run('key', 'list'))['keys'] as readonly unknown[]).length, 2)
  })

  it('uses neither of two keys with one label', async () => {
    const [softhsm, twin] = [join(dir, 'softhsm'), join(dir, 'twin')]
    cpSync(softhsm, twin, { recursive: true })
    const settings = join(twin, 'softhsm2.conf')
    writeFileSync(settings, readFileSync(settings, 'utf8').replaceAll(softhsm, twin))
    for (const path of globSync(join(twin, 'tokens', '*', '*.object'))) {
      if (basename(path) !== 'token.object') cpSync(path, join(dirname(path), `${randomUUID()}.object`))
    }
    const ended = await doctor(edited('twin.toml', softhsm, twin))
    assert.equal(ended.code, 3)
    assert.match(ended.faults.join(), /^HSM: .*KEY_AMBIGUOUS/)
  })

  it('says that no TPM answers', async () => {
    const ended = await doctor(edited('tpm.toml', /^tcti = .*$/, `tcti = "swtpm:path=${join(dir, 'absent.sock')}"`))
    assert.equal(ended.code, 3)
    assert.match(ended.faults.join(), /^TPM: .*TCTI_UNREACHABLE/)
  })

  it('believes no ledger that does not answer, or is not that of its deployment file', async () => {
    const deployment = join(dir, 'deployment.json')
    const { ledger } = parse(readFileSync(join(dir, 'agent.toml'), 'utf8')) as { ledger: { rpc: string } }
    const changed = (pattern: RegExp, text: string) => {
      const path = join(dir, 'other-deployment.json')
      const before = readFileSync(deployment, 'utf8')
      assert.match(before, pattern)
      writeFileSync(path, before.replace(pattern, text))
      return path
    }
    const list = async (url: string, file: string) =>
      faultOf(await attestry('vmm', 'list', '--rpc', url, '--deployment', file, '--json'))
    assert.deepEqual(await list('http://127.0.0.1:1', deployment), { exit: 4, code: 'UNAVAILABLE' })
    const chain = changed(/"chainId": "\d+"/, '"chainId": "1"')
    assert.deepEqual(await list(ledger.rpc, chain), { exit: 4, code: 'CHAIN_ID_MISMATCH' })
    const code = changed(/"codeHash": "0x[0-9a-f]{64}"/, `"codeHash": "0x${'11'.repeat(32)}"`)
    assert.deepEqual(await list(ledger.rpc, code), { exit: 4, code: 'CODE_MISMATCH' })
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
