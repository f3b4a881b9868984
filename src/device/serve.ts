import { closeSync, readSync } from 'node:fs'
import { CodedError, messageOf } from '../core/error.ts'
import {
  type Answer,
  type DeviceCall,
  type DeviceCalls,
  type FromDevice,
  MAX_SECRET_BYTES,
  SECRET_FD,
  type ToDevice,
} from './protocol.ts'

/** One function for each call. Calls come one at a time; the `code` of a `CodedError` and its `detail` travel
 * to the parent, any other error has the code INTERNAL there. */
export type Handlers<Calls extends DeviceCalls<Calls>> = {
  readonly [Name in keyof Calls]: (
    params: Parameters<Calls[Name]>[0],
  ) => ReturnType<Calls[Name]> | Promise<Awaited<ReturnType<Calls[Name]>>>
}

/**
 * Turns this process into a device process: the one call that the entry file of a device makes.
 *
 * `open` runs once, with the configuration and the secret (empty when there is none; wiped when `open` has finished).
 * The process ends with its parent. SIGINT and SIGTERM, which a terminal or a service manager sends to whole groups,
 * are left to the parent to answer.
 *
 * @param open throws when the device cannot be opened; the parent kills the process then
 */
export function serveDevice<Calls extends DeviceCalls<Calls>>(
  open: (config: unknown, secret: Uint8Array) => Handlers<Calls> | Promise<Handlers<Calls>>,
): void {
  let handlers: ReadonlyMap<string, (params: unknown) => unknown> | undefined
  process.on('disconnect', () => process.exit(0))
  process.on('SIGINT', () => undefined)
  process.on('SIGTERM', () => undefined)
  // One after the other, also where a message comes while a handler waits.
  let last = Promise.resolve()
  process.on('message', (message: ToDevice) => {
    last = last.then(() => answer(message))
  })
  send([{ kind: 'loaded' }])

  async function answer(message: ToDevice): Promise<void> {
    if (message.kind === 'open') {
      send([await opened(message.config).catch(fault)])
      return
    }
    let answers: Answer[] = []
    let since = performance.now()
    for (const call of message.calls) {
      answers.push(await made(call))
      // Those of quick calls travel together; a slow call's answer does not wait for the next one's.
      if (performance.now() - since > HOLD_MS) {
        send(answers)
        answers = []
        since = performance.now()
      }
    }
    if (answers.length > 0) send(answers)
  }

  async function opened(config: unknown): Promise<Answer> {
    const secret = readSecret()
    try {
      handlers = new Map(Object.entries(await open(config, secret)))
    } finally {
      secret.fill(0)
    }
    return { kind: 'result', value: undefined }
  }

  async function made({ name, params }: DeviceCall): Promise<Answer> {
    try {
      const handler = handlers?.get(name)
      if (handler === undefined) throw new Error(`the device has no call ${name}`)
      return { kind: 'result', value: await handler(params) }
    } catch (error) {
      return fault(error)
    }
  }
}

/** How long answers of one message are kept back to travel together. */
const HOLD_MS = 2

function send(message: FromDevice): void {
  // Without a channel the parent is gone, and this process is about to end.
  if (process.connected) process.send?.(message)
}

/** Reads the secret to its end. Blocks until the parent has written it. */
function readSecret(): Uint8Array {
  const buffer = new Uint8Array(MAX_SECRET_BYTES)
  let length = 0
  try {
    for (;;) {
      const read = readSync(SECRET_FD, buffer, length, buffer.length - length, null)
      if (read === 0) return buffer.subarray(0, length)
      length += read
    }
  } finally {
    closeSync(SECRET_FD)
  }
}

/** Codes are for the project's own errors: what Node throws may have a code too, but is a defect here. */
function fault(error: unknown): Answer {
  const code = error instanceof CodedError ? String(error.code) : 'INTERNAL'
  const { detail } = (error ?? {}) as { detail?: unknown }
  return { kind: 'error', code, message: messageOf(error), detail }
}
