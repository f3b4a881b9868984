import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmmError } from './error.ts'

const PATIENCE_MS = 60_000
const RETRY_MS = 5

/**
 * Runs something while no other process, nor anything else in this one, holds the lock of the same path: two that log and
 * extend at once would leave a log that does not replay.
 *
 * The lock is a name in Linux's abstract socket namespace (unix(7)), which the kernel frees when its holder dies.
 *
 * @throws VmmError `LOG_BUSY` when another holds it for a minute
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  const holder = await acquire(path)
  try {
    return await work()
  } finally {
    await new Promise((done) => holder.close(done))
  }
}

async function acquire(path: string): Promise<Server> {
  const name = `\0attestry/vmm/${createHash('sha256').update(resolve(path)).digest('hex')}`
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const holder = await bind(name)
    if (holder !== undefined) return holder
    if (Date.now() > deadline) {
      throw new VmmError('LOG_BUSY', `another process has been working on ${path} for ${PATIENCE_MS} ms`)
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
