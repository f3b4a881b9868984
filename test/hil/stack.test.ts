import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StackInfo } from '../../hil/stack/bring-up.ts'
import { stackDown, stackStatus, stackUp } from '../../hil/stack/stack.ts'
import { readConfig } from '../../src/agent/config.ts'
import { agentStatus } from '../../src/agent/client.ts'

describe('stackUp, stackStatus, stackDown', () => {
  let root: string
  let [dir, other]: string[] = []
  let first: StackInfo
  let second: StackInfo

  before(async function () {
    this.timeout(180_000)
    root = await mkdtemp(join(tmpdir(), 'attestry-stack-'))
    ;[dir, other] = [join(root, 'a'), join(root, 'b')]
    ;[first, second] = await Promise.all([stackUp(dir), stackUp(other)])
  })
  after(async function () {
    this.timeout(60_000)
    await Promise.all([stackDown(at(dir)), stackDown(at(other))])
    await rm(root, { recursive: true, force: true })
  })

  const at = (path: string | undefined) => path ?? assert.fail('not started')
  const processes = async (of: string | undefined) => (await stackStatus(at(of))).processes

  it('brings up a host whose VMM is authorised', async () => {
    const status = await agentStatus(first.socket)
    assert.equal(status['hostId'], first.hostId)
    assert.equal(status['vmmHash'], first.vmmHash)
    assert.equal(status['vmmAuthorised'], true)
    assert.match(first.note, /stands in for the VMM/)
    assert.deepEqual(
      (await processes(dir)).map(({ name, running }) => [name, running]),
      [
        ['swtpm', true],
        ['anvil', true],
        ['agent', true],
      ],
    )
  })

  it('keeps its secrets to this user', async () => {
    const modeOf = async (path: string) => (await stat(join(at(dir), path))).mode & 0o777
    assert.equal(await modeOf('.'), 0o700)
    for (const path of ['softhsm/pin', 'keys/alice.key', 'keys/registrar.key', 'stack.json', 'agent.toml']) {
      assert.equal(await modeOf(path), 0o600, path)
    }
  })

  it('runs two stacks side by side, of the same code and with nothing else in common', () => {
    assert.equal(first.vmmHash, second.vmmHash)
    assert.notEqual(first.hostId, second.hostId)
    assert.notEqual(first.rpc, second.rpc)
  })

  it('changes nothing where all runs', async () => {
    const before = await processes(dir)
    const again = await stackUp(at(dir))
    assert.deepEqual(again, { ...first, started: [] })
    assert.deepEqual(await processes(dir), before)
  })

  it('shows what is gone, and starts it again', async () => {
    const anvil = (await processes(dir)).find(({ name }) => name === 'anvil')
    assert.ok(anvil)
    process.kill(anvil.pid, 'SIGKILL')
    while ((await processes(dir)).find(({ name }) => name === 'anvil')?.running === true);
    const again = await stackUp(at(dir))
    assert.deepEqual(again.started, ['anvil', 'agent'])
    assert.equal(again.hostId, first.hostId)
    assert.equal(again.vmmHash, first.vmmHash)
    assert.equal(again.rpc, first.rpc)
    assert.ok((await processes(dir)).every(({ running }) => running))
  })

  it('ends exactly its own processes, children too', async () => {
    const own = (await processes(other)).map(({ pid }) => pid)
    const all = [...own, ...own.flatMap(childrenOf)]
    assert.ok(all.length > own.length)
    assert.deepEqual(await stackDown(at(other)), ['agent', 'anvil', 'swtpm'])
    assert.deepEqual(all.filter(isThere), [])
    assert.ok((await processes(other)).every(({ running }) => !running))
    assert.ok((await processes(dir)).every(({ running }) => running))
    assert.deepEqual(await stackDown(at(other)), [])
  })

  it('ends what it started where something fails', async () => {
    const key = join(at(other), 'keys', 'alice.key')
    const good = await readFile(key)
    await writeFile(key, 'not a key')
    await assert.rejects(stackUp(at(other)), { code: 'KEY_FILE_INVALID' })
    assert.deepEqual(
      (await processes(other)).filter(({ running }) => running),
      [],
    )
    await writeFile(key, good)
  })

  it('starts again with the same state, and the same measurement after the TPM was reset', async () => {
    const again = await stackUp(at(other))
    assert.equal(again.hostId, second.hostId)
    assert.equal(again.vmmHash, second.vmmHash)
    assert.deepEqual(again.started.toSorted(), ['agent', 'anvil', 'swtpm'])
    assert.equal((await agentStatus(again.socket))['vmmAuthorised'], true)
    assert.ok(existsSync(`${readConfig(join(at(other), 'agent.toml')).vmm.log}.1`), 'the log of the boot before')
  })

  it('refuses a directory with something else in it', async () => {
    const used = await mkdtemp(join(root, 'used'))
    await writeFile(join(used, 'thesis.txt'), 'the only copy')
    await assert.rejects(stackUp(used), { code: 'DIRECTORY_IN_USE' })
    assert.deepEqual(await processes(used), [])
  })

  it('refuses a path that leaves no room for a socket, before it makes anything', async () => {
    const long = join(root, 'long'.repeat(25))
    await assert.rejects(stackUp(long), { code: 'PATH_TOO_LONG' })
    assert.ok(!existsSync(long))
  })

  it('refuses notes that could end a process that is not its own', async () => {
    const broken = await mkdtemp(join(root, 'x'))
    await writeFile(join(broken, 'stack.json'), '{"parts":[{"name":"agent","pid":1}]}')
    await assert.rejects(stackDown(broken), { code: 'STATE_INVALID' })
  })
})

function childrenOf(pid: number): readonly number[] {
  return globSync(`/proc/${pid}/task/*/children`)
    .flatMap((path) => readFileSync(path, 'utf8').match(/\d+/g) ?? [])
    .map(Number)
}

/** A zombie is gone: only its parent has not asked yet. */
function isThere(pid: number): boolean {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) Z /.test(readFileSync(path, 'utf8'))
}
