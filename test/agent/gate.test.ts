import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { AgentError, type AgentErrorCode } from '../../src/agent/error.ts'
import { Gate, type Peer } from '../../src/agent/gate.ts'

describe('Gate', () => {
  let directory: string
  let path: string
  let gate: Gate | undefined
  let events: string[]
  let peers: Peer[]

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'attestry-gate-'))
    path = join(directory, 'agent.sock')
    events = []
    peers = []
  })

  afterEach(async () => {
    await gate?.close()
    gate = undefined
    rmSync(directory, { recursive: true })
  })

  async function open(mode: 0o600 | 0o666 = 0o600): Promise<Gate> {
    gate = new Gate(path, mode, echo, (_, event) => events.push(event))
    await gate.open()
    return gate
  }

  function echo(socket: Socket, peer: Peer): void {
    peers.push(peer)
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  }

  async function refuses(code: AgentErrorCode): Promise<void> {
    await assert.rejects(open(), (error: unknown) => error instanceof AgentError && error.code === code)
    gate = undefined
  }

  /** Sends a word and waits for it to come back. @returns false where nobody answers */
  function speak(): Promise<boolean> {
    return new Promise((resolve) => {
      const client = connect(path)
      client.end('hello')
      client.once('data', (data) => resolve(data.toString() === 'hello'))
      client.once('error', () => resolve(false))
      client.once('close', () => resolve(false))
    })
  }

  /** Whether somebody takes connections: a process that was killed may, for a moment longer than it is told to live. */
  function isListening(): Promise<boolean> {
    return new Promise((resolve) => {
      const client = connect(path)
      client.once('connect', () => {
        client.destroy()
        resolve(true)
      })
      client.once('error', () => resolve(false))
    })
  }

  it('hands over connections, with what was sent already and with who made them, as the kernel says', async () => {
    await open()
    assert.equal(await speak(), true)
    assert.deepEqual(peers, [{ pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() }])
  })

  for (const mode of [0o600, 0o666] as const) {
    it(`gives its socket the mode ${mode.toString(8)}`, async () => {
      await open(mode)
      assert.equal(statSync(path).mode & 0o777, mode)
    })
  }

  it('listens again after its process was killed', async () => {
    const { pid } = await open()
    assert.ok(pid !== undefined)
    process.kill(pid, 'SIGKILL')
    while (gate?.pid === pid || !(await speak())) await setImmediate()
    assert.deepEqual(events, ['gate.ended'])
  })

  it('ends when the agent is killed with connections on their way to it', async () => {
    const parent = fork(fileURLToPath(new URL('gate-parent.ts', import.meta.url)), [path])
    const [pid] = (await once(parent, 'message')) as [number]
    const clients = Array.from({ length: 20 }, () => connect(path).on('error', () => undefined))
    await once(clients[0] ?? assert.fail(), 'connect')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    while (isAlive(pid) || (await isListening())) await setImmediate()
    clients.forEach((client) => client.destroy())
    await open()
    assert.equal(await speak(), true)
  })

  it('closes while it is about to listen again', async () => {
    const opened = await open()
    assert.ok(opened.pid !== undefined)
    process.kill(opened.pid, 'SIGKILL')
    while (events.length === 0) await setImmediate()
    await opened.close()
    assert.equal(await speak(), false)
  })

  it('removes the file when it closes', async () => {
    await (await open()).close()
    assert.equal(existsSync(path), false)
  })

  it('takes the place of a socket that nobody listens on', async () => {
    const left = fork(fileURLToPath(new URL('../../src/agent/gate-child.ts', import.meta.url)), [path])
    await once(left, 'message')
    left.kill('SIGKILL')
    await once(left, 'exit')
    assert.equal(existsSync(path), true)
    await open()
    assert.equal(await speak(), true)
  })

  it('refuses a socket that another process listens on', async () => {
    const other = createServer().listen(path)
    await once(other, 'listening')
    await refuses('SOCKET_IN_USE')
    await new Promise((resolve) => other.close(resolve))
  })

  it('refuses to replace a file that is no socket', async () => {
    writeFileSync(path, 'precious')
    await refuses('SOCKET_FAILED')
    assert.equal(existsSync(path), true)
  })

  it('says when it cannot listen', async () => {
    path = join(directory, 'none', 'agent.sock')
    await refuses('SOCKET_FAILED')
  })
})

/** A process that ended but that nobody has asked about is not alive. */
function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.charAt(stat.lastIndexOf(')') + 2) !== 'Z'
  } catch {
    return false
  }
}
