import { createServer, type Socket } from 'node:net'
import { peerCredentials } from '../../native/peer-credentials.ts'
import { endWithParent } from '../../native/process.ts'
import { messageOf } from '../core/error.ts'
import type { FromGate } from './gate.ts'

/**
 * The process that listens on the agent's Unix socket: it asks the kernel who connected, and hands the connection over with
 * the answer, so that the agent's own process loads no native library. It reads nothing from a connection.
 *
 * Its arguments are the socket's path, which must not exist, and its mode in octal. It ends when its parent does.
 */
const [path = '', mode = '600'] = process.argv.slice(2)

function tell(message: FromGate, socket?: Socket): void {
  // A parent that is gone ends this process; a client that is gone has closed its own connection.
  process.send?.(message, socket, {}, () => undefined)
}

const server = createServer({ pauseOnConnect: true }, (socket) => {
  try {
    tell({ kind: 'connection', peer: peerCredentials(descriptorOf(socket)) }, socket)
  } catch {
    // Nobody is let in whom the kernel does not name.
    socket.destroy()
  }
})

server.on('error', (error) => {
  tell({ kind: 'failed', message: messageOf(error) })
  process.disconnect()
})
process.once('disconnect', () => process.exit())
// While connections that were handed over wait to be taken, `disconnect` does not come: the kernel's signal does.
endWithParent()

// From the first moment on, nobody may connect who may not later.
process.umask(0o777 & ~Number.parseInt(mode, 8))
server.listen(path, () => tell({ kind: 'ready' }))

/** Node tells the descriptor of a connection nowhere else. */
function descriptorOf(socket: Socket): number {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } }
  if (typeof handle?.fd !== 'number' || handle.fd < 0) throw new Error('the connection has no descriptor')
  return handle.fd
}
