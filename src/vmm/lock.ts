import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmmError } from './error.ts'

const PATIENCE_MS = 30_000
const RETRY_MS = 5

/**
 * Runs something while no other process works on the same log and PCR: two that log and extend at once would leave a log
 * that does not replay.
 *
 * The lock is a name in Linux's abstract socket namespace (unix(7)), which the kernel frees when its holder dies.
 *
 * @throws VmmError `LOG_BUSY` when another holds it for half a minute
 */
export async function withLock<T>(logPath: string, work: () => Promise<T>): Promise<T> {
  const holder = await acquire(logPath)
  try {
    return await work()
  } finally {
    await new Promise((done) => holder.close(done))
  }
}

async function acquire(logPath: string): Promise<Server> {
  const name = `\0attestry/vmm/${createHash('sha256').update(resolve(logPath)).digest('hex')}`
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const holder = await bind(name)
    if (holder !== undefined) return holder
    if (Date.now() > deadline) {
      throw new VmmError('LOG_BUSY', `another process has been measuring into ${logPath} for ${PATIENCE_MS} ms`)
    }
    await sleep(RETRY_MS)
  }
}

/** A server under that name, or undefined where there is one. */
function bind(name: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((connection) => connection.destroy())
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    server.listen(name, () => resolve(server))
  })
}
