import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:net'
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VmmError } from './error.ts'

/** How whoever waits for a lock does it. */
export interface LockOptions {
  /** How long; by default a minute. */
  readonly patienceMs?: number
  /** What is thrown then; by default a `LOG_BUSY`. */
  readonly busy?: (why: string) => Error
}

const PATIENCE_MS = 60_000
const RETRY_MS = 5

/**
 * Runs something while no other process, nor anything else in this one, holds the lock of the same path: two that log and
 * extend at once would leave a log that does not replay.
 *
 * The lock is a name in Linux's abstract socket namespace (unix(7)), which the kernel frees when its holder dies.
 *
 * @throws VmmError `LOG_BUSY`, or what the caller has for it, when another holds it for a minute
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const holder = await acquire(path, options)
  try {
    return await work()
  } finally {
    await new Promise((done) => holder.close(done))
  }
}

async function acquire(path: string, { patienceMs = PATIENCE_MS, busy = logBusy }: LockOptions): Promise<Server> {
  const name = `\0attestry/vmm/${createHash('sha256').update(resolve(path)).digest('hex')}`
  const deadline = Date.now() + patienceMs
  for (;;) {
    const holder = await bind(name)
    if (holder !== undefined) return holder
    if (Date.now() > deadline) {
      throw busy(`another process has been working on ${path} for ${patienceMs} ms`)
    }
    await sleep(RETRY_MS)
  }
}

function logBusy(why: string): VmmError {
  return new VmmError('LOG_BUSY', why)
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
