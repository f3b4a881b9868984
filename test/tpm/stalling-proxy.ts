import { connect, createServer, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

/** Stands between a client and swtpm's sockets, and can keep an answer back. */
export interface StallingProxy {
  readonly tcti: string
  /** From now on the answer to the next command with this code is kept for ever; resolves when it has come. */
  stallOn(commandCode: number): Promise<void>
  /** Resolves when no connection is open: swtpm serves one at a time, and the next only then. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** Where a command's code stands: behind tag and size (TPM 2.0 Part 1, "Command/Response Structure"). */
const CODE_OFFSET = 6

/** @param swtpm path of swtpm's socket @param path where to listen; path.ctrl as well */
export async function startStallingProxy(swtpm: string, path: string): Promise<StallingProxy> {
  let stalling: { readonly code: number; readonly stalled: () => void } | undefined
  const open = new Set<Socket>()

  const relay = (target: string, client: Socket): void => {
    const server = connect(target)
    let keep: (() => void) | undefined
    client.on('data', (command) => {
      if (command.length >= CODE_OFFSET + 4 && command.readUInt32BE(CODE_OFFSET) === stalling?.code) {
        keep = stalling.stalled
        stalling = undefined
      }
      server.write(command)
    })
    server.on('data', (answer) => {
      if (keep === undefined) client.write(answer)
      else keep()
    })
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        open.delete(one)
        other.destroy()
      })
    }
  }

  const idle = async (): Promise<void> => {
    for (const socket of open) if (!socket.closed) await once(socket, 'close')
  }

  const servers: Server[] = []
  for (const suffix of ['', '.ctrl']) {
    const server = createServer((client) => relay(swtpm + suffix, client)).listen(path + suffix)
    await once(server, 'listening')
    servers.push(server)
  }
  return {
    tcti: `swtpm:path=${path}`,
    stallOn: (code) => new Promise((stalled) => (stalling = { code, stalled })),
    idle,
    async close() {
      for (const socket of open) socket.destroy()
      await idle()
      for (const server of servers) {
        server.close()
        await once(server, 'close')
      }
    },
  }
}
