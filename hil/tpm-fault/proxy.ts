import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { powerCycle } from './power.ts'
import type { Fault } from './fault.ts'

/** Stands between a client and swtpm's sockets, and does to commands and answers what it is told. */
export interface FaultProxy {
  readonly tcti: string
  /** Each command that came, in order: its code. Cleared by the caller. */
  readonly seen: number[]
  /** All bytes that went over the data socket in either direction, in order, for who looks for a secret in them. */
  readonly recorded: Buffer[]
  /**
   * Does something to the command with this code when it comes for the `call`th time from now on, once; or to each from
   * then on with `always`. Faults before it are forgotten.
   */
  inject(commandCode: number, fault: Fault, options?: { readonly call?: number; readonly always?: boolean }): void
  /** Forgets faults that have not come to pass. @returns whether there was none left */
  clear(): boolean
  close(): Promise<void>
}

/** Where a command's code stands, and the size of a command or an answer (TPM 2.0 Part 1, 18.2). */
const [SIZE_OFFSET, CODE_OFFSET, HEADER_BYTES] = [2, 6, 10]
const TPM_ST_NO_SESSIONS = 0x8001
const MAX_FRAME = 8192

interface Plan {
  readonly code: number
  readonly fault: Fault
  readonly always: boolean
  left: number
}

/**
 * Starts it. swtpm serves one connection at a time, so commands come one after the other; each gets a connection of its
 * own to swtpm, which is closed before a fault is done to the answer.
 *
 * @param swtpm path of swtpm's socket
 * @param path where to listen; path.ctrl as well
 */
export async function startFaultProxy(swtpm: string, path: string): Promise<FaultProxy> {
  const open = new Set<Socket>()
  const seen: number[] = []
  const recorded: Buffer[] = []
  let plan: Plan | undefined
  let previous: Buffer | undefined
  /** The last answer by command code. */
  const earlier = new Map<number, Buffer>()
  /** The answer that a swapped command did not get: the next command gets it. */
  let swapped: Buffer | undefined

  const take = (code: number): Fault | undefined => {
    if (plan?.code !== code) return undefined
    if (--plan.left > 0) return undefined
    const { fault } = plan
    if (!plan.always) plan = undefined
    return fault
  }

  const serve = async (client: Socket, command: Buffer): Promise<void> => {
    const code = command.readUInt32BE(CODE_OFFSET)
    seen.push(code)
    recorded.push(command)
    const fault = take(code)
    if (fault?.kind === 'drop command') return
    if (fault?.kind === 'return code') return void client.write(codeOnly(fault.rc))
    if (fault?.kind === 'reset') await powerCycle(swtpm, fault.startup)
    const answer = await exchange(swtpm, command)
    recorded.push(answer)
    const own = swapped ?? answer
    swapped = undefined
    const before = earlier.get(code)
    earlier.set(code, answer)
    switch (fault?.kind) {
      case 'drop answer':
        return
      case 'hang up':
        client.destroy()
        return
      case 'cut':
        client.end(own.subarray(0, Math.max(1, own.length >> 1)))
        return
      case 'delay':
        setTimeout(() => client.write(own), fault.ms)
        return
      case 'flip':
        client.write(own.map((byte, i) => (i === flipped(own, fault.at) ? byte ^ 1 : byte)))
        return
      case 'swap':
        client.write(previous ?? own)
        swapped = own
        return
      case 'replay':
        client.write(before ?? own)
        return
      case 'before answer':
        fault.act()
        break
      case 'reset':
      case undefined:
    }
    previous = answer
    client.write(own)
  }

  const data = listen(open, (client) => {
    let pending = Buffer.alloc(0)
    let work = Promise.resolve()
    client.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      for (;;) {
        const size = pending.length < HEADER_BYTES ? Infinity : pending.readUInt32BE(SIZE_OFFSET)
        if (size > MAX_FRAME && size !== Infinity) return void client.destroy()
        if (pending.length < size) return
        const command = Buffer.from(pending.subarray(0, size))
        pending = pending.subarray(size)
        work = work.then(() => serve(client, command)).catch(() => void client.destroy())
      }
    })
  })
  const control = listen(open, (client) => {
    const server = connect(`${swtpm}.ctrl`)
    open.add(server)
    server.on('error', () => client.destroy())
    server.on('close', () => open.delete(server))
    client.pipe(server)
    server.pipe(client)
    client.on('close', () => server.destroy())
  })
  await ready(data, path)
  await ready(control, `${path}.ctrl`)
  return {
    tcti: `swtpm:path=${path}`,
    seen,
    recorded,
    inject(code, fault, { call = 1, always = false } = {}) {
      plan = { code, fault, always, left: call }
    },
    clear() {
      const wasDone = plan === undefined || (plan.always && plan.left <= 0)
      plan = undefined
      swapped = undefined
      return wasDone
    },
    async close() {
      for (const socket of open) socket.destroy()
      for (const server of [data, control]) {
        server.close()
        await once(server, 'close')
      }
    },
  }
}

/** Sends one command to swtpm on a connection of its own, and returns its answer, whole. */
export async function exchange(swtpm: string, command: Buffer): Promise<Buffer> {
  const server = connect(swtpm)
  const chunks: Buffer[] = []
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  server.on('error', reject)
  server.on('close', () => reject(new Error('swtpm hung up')))
  server.on('data', (chunk) => {
    chunks.push(chunk)
    const answer = Buffer.concat(chunks)
    if (answer.length >= HEADER_BYTES && answer.length >= answer.readUInt32BE(SIZE_OFFSET)) resolve(answer)
  })
  server.write(command)
  try {
    return await promise
  } finally {
    const closed = server.closed ? undefined : once(server, 'close')
    server.destroy()
    await closed
  }
}

function flipped(answer: Buffer, at: number): number {
  return Math.min(Math.floor(at * answer.length), answer.length - 1)
}

function codeOnly(rc: number): Buffer {
  const answer = Buffer.alloc(HEADER_BYTES)
  answer.writeUInt16BE(TPM_ST_NO_SESSIONS)
  answer.writeUInt32BE(HEADER_BYTES, SIZE_OFFSET)
  answer.writeUInt32BE(rc, CODE_OFFSET)
  return answer
}

function listen(open: Set<Socket>, connected: (client: Socket) => void): Server {
  return createServer((client) => {
    open.add(client)
    client.on('error', () => undefined)
    client.on('close', () => open.delete(client))
    connected(client)
  })
}

async function ready(server: Server, path: string): Promise<void> {
  server.listen(path)
  await once(server, 'listening')
}
