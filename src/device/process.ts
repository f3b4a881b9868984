import { type ChildProcess, spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { DeviceError } from './error.ts'
import {
  type Answer,
  type DeviceCall,
  type FromDevice,
  MAX_SECRET_BYTES,
  SECRET_FD,
  type ToDevice,
} from './protocol.ts'

/** What of the parent's environment a device process gets to see. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TSS2_LOG']
const MAX_DIAGNOSTIC_CHARACTERS = 2000
const LEAVE_MS = 2000

/**
 * Where a device's secret comes from: read by this process, which wipes it after it was written; or written to the
 * descriptor by another process, so that this one never has it.
 */
export type Secret =
  { readonly read: () => Promise<Uint8Array> } | { readonly handOver: (to: Writable) => Promise<void> }

/**
 * One run of a device process, from its start to its end. It answers messages in the order in which they came.
 *
 * Standard error is kept, bounded, only until the child's code is loaded: a secret has not been given by then. What
 * comes later is dropped.
 */
export class DeviceProcess {
  readonly exited: Promise<void>
  readonly #name: string
  readonly #child: ChildProcess
  readonly #pending: PromiseWithResolvers<Answer>[] = []
  #unread: Answer | undefined
  #loaded = false
  #diagnostic = ''
  #death: DeviceError | undefined

  /** @param inherited what the child has as its descriptor `OUTLET_FD` */
  constructor(name: string, module: URL, environment: Readonly<Record<string, string>>, inherited?: Writable) {
    this.#name = name
    this.#child = spawn(process.execPath, [fileURLToPath(module)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe', ...(inherited === undefined ? [] : [inherited])],
      serialization: 'advanced',
      env: { ...inheritedEnvironment(), ...environment },
    })
    this.#child.on('message', (message) => this.#received(message as FromDevice))
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (!this.#loaded) this.#diagnostic = (this.#diagnostic + text).slice(-MAX_DIAGNOSTIC_CHARACTERS)
    })
    this.#secretStream.on('error', () => undefined)
    this.exited = new Promise((resolve) => {
      const ended = (how: string, cause?: Error) => {
        const why = this.#diagnostic === '' ? '' : `:\n${this.#diagnostic.trim()}`
        this.#died(new DeviceError('DIED', `${name}: the device process ${how}${why}`, { cause }))
        this.#secretStream.destroy()
        resolve()
      }
      this.#child.once('error', (cause) => {
        if (this.#child.pid === undefined) ended('could not be started', cause)
      })
      this.#child.once('exit', (status, signal) => {
        const how = signal === null ? `ended with status ${status ?? 'unknown'}` : `was ended by ${signal}`
        // Not the child's 'close' event: it never comes after a disconnect from this side.
        if (this.#loaded || this.#child.stderr?.closed !== false) ended(how)
        else this.#child.stderr.once('close', () => ended(how))
      })
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Waits for the child's code, has it given the secret and lets it open its device. */
  async open(config: unknown, secret: Secret): Promise<Answer> {
    await this.#next()
    this.#loaded = true
    this.#diagnostic = ''
    if ('read' in secret) await this.#give(await secret.read())
    else await this.#letGive(secret.handOver)
    const [answer] = this.#ask({ kind: 'open', config }, 1)
    return answer ?? this.#next()
  }

  /** @throws DeviceError DIED; or the error of a message that cannot be cloned, which leaves the process as it was */
  ask(calls: readonly DeviceCall[]): Promise<Answer>[] {
    return this.#ask({ kind: 'calls', calls }, calls.length)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Lets the process end by itself, and kills it where it does not. */
  async leave(): Promise<void> {
    const timer = setTimeout(() => this.kill(), LEAVE_MS)
    if (this.#child.connected) this.#child.disconnect()
    await this.exited
    clearTimeout(timer)
  }

  get #secretStream(): Writable {
    return this.#child.stdio[SECRET_FD] as Writable
  }

  async #give(secret: Uint8Array): Promise<void> {
    try {
      if (secret.length > MAX_SECRET_BYTES) throw new RangeError(`the secret is longer than ${MAX_SECRET_BYTES} bytes`)
      await new Promise<void>((resolve) => {
        this.#secretStream.once('close', resolve)
        this.#secretStream.end(secret, resolve)
      })
    } finally {
      secret.fill(0)
      this.#secretStream.destroy()
    }
  }

  /** The child sees the secret's end when this process has no descriptor of it left, and the giver has none. */
  async #letGive(handOver: (to: Writable) => Promise<void>): Promise<void> {
    try {
      await handOver(this.#secretStream)
    } finally {
      this.#secretStream.destroy()
    }
  }

  #ask(message: ToDevice, answers: number): Promise<Answer>[] {
    const promises = Array.from({ length: answers }, () => this.#next())
    try {
      this.#child.send(message, (error) => {
        if (error) this.#died(new DeviceError('DIED', `${this.#name}: the device process is gone`, { cause: error }))
      })
    } catch (error) {
      for (const pending of this.#pending.splice(-answers)) pending.reject(error)
    }
    return promises
  }

  #next(): Promise<Answer> {
    const pending = Promise.withResolvers<Answer>()
    if (this.#death !== undefined) {
      pending.reject(this.#death)
    } else if (this.#unread !== undefined) {
      pending.resolve(this.#unread)
      this.#unread = undefined
    } else {
      this.#pending.push(pending)
    }
    return pending.promise
  }

  #received(answers: FromDevice): void {
    for (const answer of answers) {
      const pending = this.#pending.shift()
      if (pending === undefined) this.#unread = answer
      else pending.resolve(answer)
    }
  }

  #died(error: DeviceError): void {
    this.#death ??= error
    for (const pending of this.#pending.splice(0)) pending.reject(this.#death)
  }
}

function inheritedEnvironment(): Record<string, string> {
  const entries = INHERITED.map((name) => [name, process.env[name]] as const)
  return Object.fromEntries(entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined))
}
