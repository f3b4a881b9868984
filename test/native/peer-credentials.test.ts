import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { peerCredentials } from '../../native/peer-credentials.ts'

describe('peerCredentials', () => {
  it('says who has connected', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'attestry-peer-'))
    const server = createServer().listen(join(dir, 'socket'))
    await once(server, 'listening')
    const client = connect(join(dir, 'socket'))
    const [accepted] = (await once(server, 'connection')) as [Socket]
    try {
      const expected = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() }
      assert.deepEqual(peerCredentials(descriptorOf(accepted)), expected)
    } finally {
      client.destroy()
      accepted.destroy()
      server.close()
      await rm(dir, { recursive: true, force: true })
    }
  })

  it('refuses a TCP socket, of whose peer the kernel knows no process', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    assert.throws(() => peerCredentials(descriptorOf(server)), /no peer/)
    server.close()
  })

  it('refuses what is no socket', () => {
    const file = openSync('/dev/null', 'r')
    assert.throws(() => peerCredentials(file), /errno/)
    closeSync(file)
    assert.throws(() => peerCredentials(-1), /errno/)
  })
})

/** Node has no public name for a socket's descriptor. */
function descriptorOf(socket: object): number {
  const { fd } = (socket as { readonly _handle: { readonly fd: number } })._handle
  return fd
}
