import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Api } from '../../src/agent/api.ts'
import { Gate } from '../../src/agent/gate.ts'
import { HTTP_STATUS } from '../../src/agent/http-status.ts'
import { Refusal } from '../../src/agent/refusal.ts'

const ALLOWED = 65_533
const STRANGER = 65_534

/** Who may use the agent, asked by users whom the kernel tells apart. Only root can be several users. */
const asRoot = process.getuid?.() === 0

describe('the socket of an agent', () => {
  let directory: string
  let path: string
  let gate: Gate
  let api: Api

  async function open(mode: 0o600 | 0o666, allowed: readonly number[]): Promise<void> {
    directory = await mkdtemp(join(tmpdir(), 'attestry-uids-'))
    await chmod(directory, 0o711)
    path = join(directory, 'agent.sock')
    api = new Api({
      engine: { submit: () => Promise.reject(new Refusal('AGENT_BUSY', 'not here')) },
      status: () => Promise.reject(new Error('no status')),
      readiness: () => Promise.resolve({ ready: true, missing: [] }),
      maxInputBytes: 1,
      release: 'confirmed',
      allowedUids: new Set([0, process.getuid?.() ?? 0, ...allowed]),
      log: () => undefined,
    })
    gate = new Gate(
      path,
      mode,
      (socket, peer) => api.accept(socket, peer),
      () => undefined,
    )
    await gate.open()
  }

  afterEach(async () => {
    await gate.close()
    await api.close(0)
    await rm(directory, { recursive: true })
  })

  it('serves the agent’s own user', async () => {
    await open(0o600, [])
    assert.deepEqual(await ready(() => connect(path)), [200, undefined])
  })

  if (asRoot) {
    it('serves a configured user, and tells another one that it does not', async () => {
      await open(0o666, [ALLOWED])
      assert.deepEqual(await ready(() => connectAs(ALLOWED)), [200, undefined])
      assert.deepEqual(await ready(() => connectAs(STRANGER)), [HTTP_STATUS.PEER_REFUSED, 'PEER_REFUSED'])
    })

    it('lets nobody else connect where no other user is configured', async () => {
      await open(0o600, [])
      await assert.rejects(
        ready(() => connectAs(STRANGER)),
        { code: 'EACCES' },
      )
    })
  }

  /** The kernel notes the effective user of the moment at which a connection is made, which it is at once. */
  function connectAs(uid: number): Socket {
    process.seteuid?.(uid)
    try {
      return connect(path)
    } finally {
      process.seteuid?.(0)
    }
  }

  /** @returns the answer's status, and the code where it is a refusal */
  function ready(createConnection: () => Socket): Promise<[number | undefined, string | undefined]> {
    return new Promise((resolve, reject) => {
      const asked = request({ path: '/readyz', createConnection }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => {
          const { error } = JSON.parse(Buffer.concat(chunks).toString()) as { error?: { code: string } }
          resolve([response.statusCode, error?.code])
        })
      })
      asked.on('error', reject)
      asked.end()
    })
  }
})
