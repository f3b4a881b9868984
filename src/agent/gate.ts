import { fork, type ChildProcess } from 'node:child_process'
import { lstat, rm } from 'node:fs/promises'
import { Socket, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../core/error.ts'
import { AgentError } from './error.ts'
import { errorFields, type Log } from './log.ts'

/** Who is at the other end of a connection, as the kernel says (SO_PEERCRED). */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
}

/** What the gate's process says; a connection comes with its socket. */
export type FromGate =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'connection'; readonly peer: Peer }

const CHILD = fileURLToPath(new URL('gate-child.ts', import.meta.url))
const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5000

/** The agent's Unix socket, listened on by a process of its own that is started again where it dies. */
export class Gate {
  readonly #path: string
  readonly #mode: number
  readonly #onConnection: (socket: Socket, peer: Peer) => void
  readonly #log: Log
  readonly #stop = new AbortController()
  #child: ChildProcess | undefined
  #guard: Promise<void> | undefined

  /**
   * @param mode the socket's: 0600 lets only its owner connect, 0666 everybody who may enter the directory; who is served is
   *   for `onConnection` to decide
   * @param onConnection gets each connection, paused; it must not throw
   */
  constructor(path: string, mode: 0o600 | 0o666, onConnection: (socket: Socket, peer: Peer) => void, log: Log) {
    this.#path = path
    this.#mode = mode
    this.#onConnection = onConnection
    this.#log = log
  }

  /** Listens. @throws AgentError SOCKET_IN_USE, SOCKET_FAILED */
  async open(): Promise<void> {
    const { ended } = await this.#start()
    this.#guard = this.#keep(ended)
  }

  /** The number of the process that listens now. */
  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  /** Lets nobody in any more; the socket's file is gone. Connections that were handed over stay. */
  async close(): Promise<void> {
    if (this.#guard === undefined) return
    this.#stop.abort()
    this.#child?.kill('SIGKILL')
    await this.#guard
    await rm(this.#path, { force: true })
  }

  /** Starts the process again, with back-off, whenever it ends. */
  async #keep(first: Promise<void>): Promise<void> {
    const { signal } = this.#stop
    let backOffMs = FIRST_BACK_OFF_MS
    let ended = first
    for (;;) {
      await ended
      if (!signal.aborted) {
        this.#log('error', 'gate.ended', { retryMs: backOffMs })
        await sleep(backOffMs, undefined, { signal }).catch(() => undefined)
      }
      if (signal.aborted) return
      try {
        ;({ ended } = await this.#start())
        backOffMs = FIRST_BACK_OFF_MS
      } catch (error) {
        this.#log('error', 'gate.failed', errorFields(error))
        backOffMs = Math.min(MAX_BACK_OFF_MS, backOffMs * 2)
      }
    }
  }

  /** @returns once it listens; `ended` resolves when the process has ended */
  async #start(): Promise<{ ended: Promise<void> }> {
    await removeStale(this.#path)
    const child = fork(CHILD, [this.#path, this.#mode.toString(8)], {
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    this.#child = child
    if (this.#stop.signal.aborted) child.kill('SIGKILL')
    const ended = new Promise<void>((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
    await new Promise<void>((resolve, reject) => {
      const fail = (message: string) =>
        reject(new AgentError('SOCKET_FAILED', `cannot listen on ${this.#path}: ${message}`))
      child.on('message', (message, socket) => {
        const told = message as FromGate
        if (told.kind === 'ready') resolve()
        else if (told.kind === 'failed') fail(told.message)
        // A client that went away at once leaves no socket.
        else if (socket instanceof Socket) this.#onConnection(socket, told.peer)
      })
      void ended.then(() => fail('its process ended'))
    })
    return { ended }
  }
}

/** Removes the file of a socket that nobody listens on. @throws AgentError SOCKET_IN_USE, SOCKET_FAILED */
async function removeStale(path: string): Promise<void> {
  let found
  try {
    found = await lstat(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new AgentError('SOCKET_FAILED', `cannot look at ${path}: ${messageOf(cause)}`, { cause })
  }
  if (!found.isSocket()) throw new AgentError('SOCKET_FAILED', `${path} is there and is not a socket`)
  if (await answers(path))
    throw new AgentError('SOCKET_IN_USE', `somebody listens on ${path}: is another agent running?`)
  await rm(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (answer: boolean) => () => {
      socket.destroy()
      resolve(answer)
    }
    socket.once('connect', end(true))
    socket.once('error', end(false))
  })
}
