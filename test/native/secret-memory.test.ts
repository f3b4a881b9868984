import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openSecretRegion, type SecretMemoryKind } from '../../native/secret-memory.ts'

describe('openSecretRegion', () => {
  const here = openSecretRegion(1)
  const kinds: readonly SecretMemoryKind[] = here.kind === 'memfd_secret' ? ['memfd_secret', 'locked'] : ['locked']
  here.close()

  for (const kind of kinds) {
    it(`gives ${kind} pages that are zero, can be written, and are gone once closed`, () => {
      const region = openSecretRegion(5000, kind)
      assert.equal(region.kind, kind)
      assert.deepEqual(region.buffer, Buffer.alloc(5000))
      region.buffer.fill('secret')
      const view = region.buffer.subarray(0, 6)
      assert.equal(view.toString(), 'secret')
      region.close()
      region.close()
      assert.equal(region.buffer.length, 0)
      assert.equal(view.length, 0)
      assert.equal(view[0], undefined)
    })
  }

  it('keeps memfd_secret pages from other processes, root included', async function () {
    // A kernel without them gives locked pages, which promise less: see below.
    if (!kinds.includes('memfd_secret')) return
    const { holder, mapping } = await hold('memfd_secret')
    assert.match(mapping.name, /secretmem/)
    assert.throws(() => readMemory(holder, mapping.start + 4096, 64), { code: 'EIO' })
    // The descriptor is closed: it cannot be taken and mapped.
    const { stdout } = spawnSync('ls', ['-l', `/proc/${holder.pid ?? 0}/fd`], { encoding: 'utf8' })
    assert.doesNotMatch(stdout, /secretmem/)
    holder.stdin?.end()
    await once(holder, 'exit')
  })

  it('keeps locked pages from swap, core dumps and forks', async () => {
    const { holder, mapping } = await hold('locked')
    for (const flag of ['lo', 'dd', 'wf']) assert.ok(mapping.flags.includes(flag), flag)
    // What is not promised, so that nobody believes it is.
    assert.equal(readMemory(holder, mapping.start + 4096, 64)[1], 0xa4)
    holder.stdin?.end()
    await once(holder, 'exit')
  })

  it('says so when the process may lock no more memory', () => {
    const script = `import { openSecretRegion } from ${JSON.stringify(new URL('../../native/secret-memory.ts', import.meta.url).href)}
      for (const kind of ['memfd_secret', 'locked']) {
        try { openSecretRegion(1 << 20, kind) } catch (error) { console.log(error.code) }
      }`
    const node = [process.execPath, '--input-type=module-typescript', '-e', script]
    // With this capability, which root has, there is no limit.
    const without = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock'] : []
    const { stdout, stderr } = spawnSync('prlimit', ['--memlock=65536', ...without, ...node], { encoding: 'utf8' })
    assert.equal(stdout, 'LIMIT\nLIMIT\n', stderr)
  })

  it('refuses a size that is none', () => {
    for (const size of [0, -1, 1.5, Number.NaN]) assert.throws(() => openSecretRegion(size), RangeError)
  })
})

interface Mapping {
  readonly start: number
  readonly name: string
  readonly flags: readonly string[]
}

async function hold(kind: SecretMemoryKind): Promise<{ holder: ChildProcess; mapping: Mapping }> {
  const holder = spawn(process.execPath, [fileURLToPath(new URL('region-holder.ts', import.meta.url)), kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [said] = (await once(holder.stdout, 'data')) as [Buffer]
  assert.equal(said.toString().trim(), kind)
  const smaps = readFileSync(`/proc/${holder.pid ?? 0}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  const mappings = smaps.map((text) => ({
    start: Number.parseInt(text, 16),
    name: text.split('\n')[0]?.slice(73) ?? '',
    size: /^Size:\s+8 kB/m.test(text),
    flags: /^VmFlags:(.*)$/m.exec(text)?.[1]?.trim().split(' ') ?? [],
  }))
  const mapping = mappings.find(({ size, name, flags }) => size && flags.includes('lo') && !name.includes('/lib'))
  assert.ok(mapping, 'no such mapping')
  return { holder, mapping }
}

function readMemory(of: ChildProcess, start: number, length: number): Buffer {
  const memory = openSync(`/proc/${of.pid ?? 0}/mem`, 'r')
  try {
    const bytes = Buffer.alloc(length)
    assert.equal(readSync(memory, bytes, 0, length, start), length)
    return bytes
  } finally {
    closeSync(memory)
  }
}
