import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../core/error.ts'
import { DeviceError } from './error.ts'
import { DeviceProcess } from './process.ts'
import type { Answer, DeviceCall, DeviceCalls } from './protocol.ts'

/** How a device is driven. */
export interface DeviceOptions {
  /** For messages: `hsm`, `tpm`. */
  readonly name: string
  /** The child's entry file, which calls `serveDevice`. */
  readonly module: URL
  /** Given to the child's `open`: cloneable, without secrets. */
  readonly config: unknown
  /** Read anew at each start and wiped after it was handed over, through a descriptor of its own. */
  readonly secret?: () => Promise<Uint8Array>
  /**
   * Instead of `secret`: lets another process write the secret to this stream's descriptor, at each start. It must have
   * been written when the promise resolves; where it rejects the device is not started, with that error.
   */
  readonly handOver?: (to: Writable) => Promise<void>
  /** What the child has as its descriptor `OUTLET_FD`. */
  readonly outlet?: Writable
  /** What the child's environment has beside PATH, HOME, LANG, LC_ALL, TZ and TSS2_LOG. */
  readonly environment?: Readonly<Record<string, string>>
  /** How long a call may take, and where it has to wait for a device that is not ready, how long it waits at least. */
  readonly deadlineMs: number
  /** How long a start may take, and a call waits for it, where that is longer; `deadlineMs` where it is left out. */
  readonly startDeadlineMs?: number
  /** Makes the device's own error again from what came through the channel. */
  readonly revive: (code: string, message: string, detail: unknown) => Error
  /**
   * Whether an error stands for good: the process is ended, never started again, and each later call gets this
   * error.
   */
  readonly isFinal?: (error: Error) => boolean
  /** Whether after an error of a call the process is of no more use, and the next call needs a fresh one. */
  readonly needsRestart?: (error: Error) => boolean
  /**
   * Calls that only read. A few of them are given to the process ahead of their turn, so that it need not wait for the
   * next one; where the process is lost before their turn, the next process makes them.
   */
  readonly repeatable?: ReadonlySet<string>
}

/** `idle`: not started, or ended and free to start again. The others say it themselves. */
export type DeviceState = 'idle' | 'starting' | 'ready' | 'backing-off' | 'stopped'

interface Call {
  readonly name: string
  readonly params: unknown
  readonly deadlineMs: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  timer: NodeJS.Timeout | undefined
}

/** A call that the process has: the first of them it makes, the others wait there for their turn. */
interface Sent {
  readonly call: Call
  readonly answer: Promise<Answer>
}

/** How many calls are given ahead. More of them do not make it faster. */
const MAX_AHEAD = 8
const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5000

/**
 * A device behind a process of its own, started by the first call that needs it.
 *
 * Calls run one at a time, in the order in which they came. Each has a deadline that starts when the device takes it;
 * past it the process is killed, and the next call starts another one, with back-off. While the device is not ready a
 * call waits for at most its deadline, or the start's where that is longer. A call is never made twice, but for one that only reads and was given ahead of its
 * turn: where it failed with DEADLINE or DIED, whether to make it again is the caller's decision.
 */
export class Device<Calls extends DeviceCalls<Calls>> {
  readonly #options: DeviceOptions
  readonly #waiting: Call[] = []
  /** Given to the process ahead of their turn. */
  readonly #ahead: Sent[] = []
  readonly #closing = new AbortController()
  #process: DeviceProcess | undefined
  #ready = false
  #work: Promise<void> | undefined
  #making = false
  #backOffMs = 0
  #notBefore = 0
  #lastFailure: Error | undefined
  /** Set once the device takes no more calls. */
  #end: Error | undefined

  constructor(options: DeviceOptions) {
    this.#options = options
  }

  get state(): DeviceState {
    if (this.#end !== undefined) return 'stopped'
    if (this.#process !== undefined) return this.#ready ? 'ready' : 'starting'
    return performance.now() < this.#notBefore ? 'backing-off' : 'idle'
  }

  /** The number of the process that runs now. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  /**
   * Makes a call, after those made before it.
   *
   * @param deadlineMs how long the device may take for it; the device's own deadline where it is left out
   * @throws DeviceError, and what `revive` makes of the device's own errors
   */
  call<Name extends keyof Calls & string>(
    name: Name,
    params: Parameters<Calls[Name]>[0],
    deadlineMs = this.#options.deadlineMs,
  ): Promise<Awaited<ReturnType<Calls[Name]>>> {
    if (this.#end !== undefined) return Promise.reject(this.#end)
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const call: Call = { name, params, deadlineMs, resolve, reject, timer: undefined }
    this.#waiting.push(call)
    if (!this.#ready) this.#limitWaiting(call)
    this.#giveAhead()
    this.#work ??= this.#run()
    return promise as Promise<Awaited<ReturnType<Calls[Name]>>>
  }

  /** Lets the call that is running finish, refuses those that wait, and returns when the process is gone. */
  async close(): Promise<void> {
    this.#stop(new DeviceError('STOPPED', `${this.#options.name}: the device was closed`))
    if (!this.#ready) this.#process?.kill()
    await this.#work
    await this.#process?.leave()
    this.#process = undefined
  }

  async #run(): Promise<void> {
    while (this.#waiting.length + this.#ahead.length > 0) {
      const process = this.#ready ? this.#process : await this.#start()
      const sent = process === undefined ? undefined : (this.#ahead.shift() ?? this.#give(process))
      if (process !== undefined && sent !== undefined) await this.#make(sent, process)
    }
    // Here and not in a `finally`: between the end of the loop and that, a call could come and find nobody to make it.
    this.#work = undefined
  }

  #give(process: DeviceProcess): Sent | undefined {
    const call = this.#waiting.shift()
    const [answer] = call === undefined ? [] : process.ask([call].map(messageOfCall))
    return call && answer && { call, answer }
  }

  /** While a call is being made: as many as there is room for, once half of it is free, in one message. */
  #giveAhead(): void {
    if (!this.#making || !this.#ready || this.#process === undefined || this.#ahead.length > MAX_AHEAD / 2) return
    const others = this.#waiting.findIndex(({ name }) => this.#options.repeatable?.has(name) !== true)
    const count = Math.min(others === -1 ? this.#waiting.length : others, MAX_AHEAD - this.#ahead.length)
    if (count === 0) return
    const calls = this.#waiting.splice(0, count)
    this.#process.ask(calls.map(messageOfCall)).forEach((answer, i) => {
      const call = calls[i]
      // Where nobody waits for it any more it must not count as an error that nobody has handled.
      answer.catch(() => undefined)
      if (call !== undefined) this.#ahead.push({ call, answer })
    })
  }

  async #make({ call, answer }: Sent, process: DeviceProcess): Promise<void> {
    const late = () =>
      new DeviceError('DEADLINE', `${this.#options.name}: ${call.name} took over ${call.deadlineMs} ms`)
    this.#making = true
    this.#giveAhead()
    try {
      call.resolve(this.#valueOf(await within(answer, call.deadlineMs, late)))
      this.#backOffMs = 0
    } catch (thrown) {
      const error = asError(thrown)
      if (this.#isFinal(error)) this.#stop(error)
      const lost = error instanceof DeviceError || this.#isFinal(error) || this.#options.needsRestart?.(error) === true
      if (lost) this.#lose(process, error)
      call.reject(error)
      if (lost) await process.exited
    } finally {
      this.#making = false
    }
  }

  /** Waits out the back-off and starts a process. What the device itself says against it goes to all who wait. */
  async #start(): Promise<DeviceProcess | undefined> {
    const { name, module, environment, config, secret, handOver, outlet } = this.#options
    const { deadlineMs, startDeadlineMs = deadlineMs } = this.#options
    const waitMs = this.#notBefore - performance.now()
    if (waitMs > 0) await sleep(waitMs, undefined, { signal: this.#closing.signal }).catch(() => undefined)
    if (this.#waiting.length === 0) return undefined

    const process = new DeviceProcess(name, module, environment ?? {}, outlet)
    this.#process = process
    const late = () => new DeviceError('DEADLINE', `${name}: the start took over ${startDeadlineMs} ms`)
    const none = () => Promise.resolve(new Uint8Array())
    try {
      const source = handOver === undefined ? { read: secret ?? none } : { handOver }
      this.#valueOf(await within(process.open(config, source), startDeadlineMs, late))
    } catch (thrown) {
      const error = asError(thrown)
      if (this.#isFinal(error)) this.#stop(error)
      this.#lose(process, error)
      if (!(error instanceof DeviceError)) this.#refuseWaiting(error)
      await process.exited
      return undefined
    }
    if (this.#end !== undefined) return undefined
    this.#ready = true
    for (const call of this.#waiting) {
      clearTimeout(call.timer)
      call.timer = undefined
    }
    void process.exited.then(() => {
      // Died between two calls; within a call, #make sees it.
      if (this.#process === process && this.#end === undefined) this.#forget(undefined)
    })
    return process
  }

  #lose(process: DeviceProcess, error: Error): void {
    if (this.#process === process) this.#forget(error)
    process.kill()
  }

  #forget(error: Error | undefined): void {
    this.#process = undefined
    this.#ready = false
    this.#lastFailure = error
    this.#waiting.unshift(...this.#ahead.splice(0).map(({ call }) => call))
    this.#backOffMs = Math.min(Math.max(2 * this.#backOffMs, FIRST_BACK_OFF_MS), MAX_BACK_OFF_MS)
    this.#notBefore = performance.now() + this.#backOffMs
    for (const call of this.#waiting) this.#limitWaiting(call)
  }

  #limitWaiting(call: Call): void {
    const waitMs = Math.max(call.deadlineMs, this.#options.startDeadlineMs ?? 0)
    call.timer ??= setTimeout(() => {
      const index = this.#waiting.indexOf(call)
      if (index < 0) return
      this.#waiting.splice(index, 1)
      const why = this.#lastFailure === undefined ? '' : `: ${messageOf(this.#lastFailure)}`
      const text = `${this.#options.name}: not ready for ${call.name} within ${waitMs} ms${why}`
      call.reject(new DeviceError('UNAVAILABLE', text, { cause: this.#lastFailure }))
    }, waitMs)
  }

  #valueOf(answer: Answer): unknown {
    if (answer.kind === 'error') throw this.#options.revive(answer.code, answer.message, answer.detail)
    return answer.kind === 'result' ? answer.value : undefined
  }

  #isFinal(error: Error): boolean {
    return this.#options.isFinal?.(error) === true
  }

  #stop(error: Error): void {
    this.#end ??= error
    this.#closing.abort()
    this.#refuseWaiting(this.#end)
  }

  #refuseWaiting(error: Error): void {
    for (const call of [...this.#ahead.splice(0).map((sent) => sent.call), ...this.#waiting.splice(0)]) {
      clearTimeout(call.timer)
      call.reject(error)
    }
  }
}

function messageOfCall({ name, params }: Call): DeviceCall {
  return { name, params }
}

async function within<T>(promise: Promise<T>, deadlineMs: number, late: () => Error): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(late()), deadlineMs)
  try {
    return await Promise.race([promise, expired])
  } finally {
    clearTimeout(timer)
    promise.catch(() => undefined)
  }
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(messageOf(thrown), { cause: thrown })
}
