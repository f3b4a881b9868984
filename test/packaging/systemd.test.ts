import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const UNITS = fileURLToPath(new URL('../../packaging/systemd', import.meta.url))
const COMMAND = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))

/** What systemd-analyze calls "OK" ends at 5.0; in tenths. */
const EXPOSURE: Readonly<Record<string, number>> = { 'attestry-measure.service': 20, 'attestry-agent.service': 26 }

/** systemd's own judgement of the units, from copies that name this clone's command, which must be there. */
describe('systemd units', function () {
  this.timeout(60_000)
  let dir: string

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'attestry-units-'))
    await cp(UNITS, dir, { recursive: true })
    for (const name of await readdir(dir)) {
      const text = await readFile(join(dir, name), 'utf8')
      await writeFile(join(dir, name), text.replaceAll('/usr/bin/attestry', COMMAND))
    }
  })
  after(() => rm(dir, { recursive: true, force: true }))

  const analyze = (...args: readonly string[]) =>
    new Promise<{ code: number | string; said: string }>((resolve) => {
      const env = { ...process.env, SYSTEMD_LOG_LEVEL: 'warning', SYSTEMD_UNIT_PATH: `${dir}:` }
      execFile('systemd-analyze', args, { env }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.code ?? 'signal'), said: stdout + stderr })
      })
    })

  for (const [unit, exposure] of Object.entries(EXPOSURE)) {
    it(`${unit} is valid, without a warning`, async () => {
      assert.deepEqual(await analyze('verify', '--man=no', join(dir, unit)), { code: 0, said: '' })
    })

    it(`${unit} is hardened: an exposure of at most ${exposure / 10}`, async () => {
      const { code, said } = await analyze('security', '--offline=true', `--threshold=${exposure}`, join(dir, unit))
      assert.equal(code, 0, said)
    })
  }

  it('starts the agent without a PIN of its own where the PIN is sealed', async () => {
    const dropIns = join(dir, 'attestry-agent.service.d')
    await mkdir(dropIns)
    try {
      const text = await readFile(join(dir, 'attestry-agent-sealed-pin.conf'), 'utf8')
      const verified = async (dropIn: string) => {
        await writeFile(join(dropIns, 'sealed-pin.conf'), dropIn)
        return analyze('verify', '--man=no', join(dir, 'attestry-agent.service'))
      }
      assert.deepEqual(await verified(text), { code: 0, said: '' })
      // It is read, and takes back what the unit loads: a credential whose file was removed would be fatal.
      assert.match((await verified(`${text}NoSuchKey=1\n`)).said, /sealed-pin\.conf:\d+: .*NoSuchKey/)
      assert.match(text, /^\[Service\]\nLoadCredential=$/m)
      const unit = await readFile(join(dir, 'attestry-agent.service'), 'utf8')
      assert.deepEqual(unit.match(/^LoadCredential.*$/gm), ['LoadCredential=pin:/etc/attestry/pin'])
    } finally {
      await rm(dropIns, { recursive: true })
    }
  })

  it('measures before libvirt and the agent, which do not start where that fails', async () => {
    const text = await readFile(join(dir, 'attestry-measure.service'), 'utf8')
    const listed = (key: string) => (new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '').split(' ')
    for (const unit of ['libvirtd.service', 'virtqemud.service', 'attestry-agent.service']) {
      assert.ok(listed('Before').includes(unit), unit)
      assert.ok(listed('RequiredBy').includes(unit), unit)
    }
  })

  it('leaves what is measured and shared within reach', async () => {
    for (const unit of Object.keys(EXPOSURE)) {
      const text = await readFile(join(dir, unit), 'utf8')
      // The first hides /lib/modules; with the second, measure and agent would not see each other's lock.
      assert.doesNotMatch(text, /^(ProtectKernelModules|PrivateNetwork|MemoryDenyWriteExecute)=/m)
      assert.match(text, /^DevicePolicy=closed\nDeviceAllow=\/dev\/tpmrm0 rw$/m)
    }
  })
})
