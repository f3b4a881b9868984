import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/agent/config.ts'
import { concat } from '../../src/core/bytes.ts'
import { templateHash } from '../../src/tcg/ima-hash.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { field, imaEntry, nameField, text } from '../tcg/ima-bytes.ts'
import { attestry } from './command.ts'

describe('attestry measure', function () {
  this.timeout(120_000)
  let dir: string
  let tpm: Tpm
  const imaLog: Uint8Array[] = []
  const QEMU = 'vmm/qemu-system-x86_64'

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'attestry-measure-'))
    const up = await attestry('dev', 'up', '--dir', dir, '--json')
    assert.equal(up.code, 0, up.stdout)
    tpm = new Tpm(readConfig(join(dir, 'agent.toml')).tpm)
  })
  after(async () => {
    await tpm.close()
    await attestry('dev', 'down', '--dir', dir)
    rmSync(dir, { recursive: true, force: true })
  })

  /** Measures with settings of `[vmm]`. */
  const measure = async (...settings: readonly string[]) => {
    const config = join(dir, 'ima.toml')
    const before = readFileSync(join(dir, 'agent.toml'), 'utf8')
    writeFileSync(config, before.replace('[vmm]', ['[vmm]', ...settings].join('\n')))
    const ended = await attestry('measure', '--config', config, '--json')
    const { ok, ima } = ended.json() as {
      ok: boolean
      ima: { result: string; agreed: string[]; findings: { code: string; name?: string }[] }
    }
    return {
      code: ended.code,
      ok,
      result: ima.result,
      agreed: ima.agreed,
      findings: ima.findings.map(({ code, name }) => [code, name]),
    }
  }

  /** What a kernel does that opens a file: logs it, and extends PCR 10. */
  async function seenByKernel(path: string, content: Uint8Array): Promise<void> {
    const digest = createHash('sha256').update(content).digest()
    const data = concat(field(text('sha256:\0'), digest), nameField(path))
    imaLog.push(imaEntry(data))
    writeFileSync(join(dir, 'ima.bin'), Buffer.concat(imaLog))
    await tpm.extendPcr(10, templateHash({ template: 'ima-ng', data }, 'sha256'))
  }
  const log = () => `ima_log = ${JSON.stringify(join(dir, 'ima.bin'))}`

  it('says that there is no IMA log, which fails only where the configuration wants one', async () => {
    const absent = { result: 'not covered', agreed: [], findings: [['IMA_ABSENT', undefined]] }
    assert.deepEqual(await measure(log()), { ...absent, code: 0, ok: true })
    assert.deepEqual(await measure(log(), 'ima = "required"'), { ...absent, result: 'fail', code: 1, ok: false })
  })

  it('holds what it measured against what the kernel saw', async () => {
    const path = realpathSync(join(dir, QEMU))
    await seenByKernel(path, readFileSync(path))
    assert.deepEqual(await measure(log(), 'ima = "required"'), {
      code: 0,
      ok: true,
      result: 'pass',
      agreed: [QEMU],
      findings: [],
    })
    assert.deepEqual((await measure('ima_log = "/nowhere"')).findings, [['IMA_PCR', undefined]])
    await seenByKernel(path, Buffer.from('what ran instead'))
    const { code, ok, findings } = await measure(log())
    assert.deepEqual({ code, ok, findings }, { code: 1, ok: false, findings: [['IMA_CHANGED', QEMU]] })
  })
})
