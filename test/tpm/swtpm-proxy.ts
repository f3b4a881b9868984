import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between a client and swtpm's sockets, and can keep an answer back or let something happen before it. */
export interface SwtpmProxy {
  readonly tcti: string
  /** From now on the answer to the next command with this code is kept for ever; resolves when it has come. */
  stallOn(commandCode: number): Promise<void>
  /** From now on `act` runs between each command with this code and its answer; swtpm is free to serve others then. */
  beforeAnswer(commandCode: number, act: () => void): void
  /** Resolves when no connection is open: swtpm serves one at a time, and the next only then. */
  idle(): Promise<void>
  close(): Promise<void>
}

type Intercept = (answer: Buffer, client: Socket, server: Socket) => void

/** Where a command's code stands: behind tag and size (TPM 2.0 Part 1, "Command/Response Structure"). */
const CODE_OFFSET = 6

/** @param swtpm path of swtpm's socket @param path where to listen; path.ctrl as well */
export async function startSwtpmProxy(swtpm: string, path: string): Promise<SwtpmProxy> {
  const intercepts = new Map<number, Intercept>()
  const open = new Set<Socket>()

  const relay = (target: string, client: Socket): void => {
    const server = connect(target)
    let intercept: Intercept | undefined
    client.on('data', (command) => {
      const code = command.length >= CODE_OFFSET + 4 ? command.readUInt32BE(CODE_OFFSET) : 0
      intercept = intercepts.get(code)
      server.write(command)
    })
    server.on('data', (answer) => {
      if (intercept === undefined) client.write(answer)
      else intercept(answer, client, server)
    })
    client.on('close', () => server.destroy())
    server.on('end', () => client.destroy())
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => open.delete(socket))
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
    stallOn: (code) =>
      new Promise((stalled) => {
        intercepts.set(code, () => {
          intercepts.delete(code)
          stalled()
        })
      }),
    beforeAnswer: (code, act) => {
      intercepts.set(code, (answer, client, server) => {
        server.destroy()
        server.once('close', () => {
          act()
          client.write(answer)
        })
      })
    },
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
