import { closeSync, readSync } from 'node:fs'
import { CodedError, messageOf } from '../core/error.ts'
import { type DeviceCalls, type FromDevice, MAX_SECRET_BYTES, SECRET_FD, type ToDevice } from './protocol.ts'

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
  process.on('message', (message: ToDevice) => {
    void answer(message).then(send)
  })
  send({ kind: 'loaded' })

  async function answer(message: ToDevice): Promise<FromDevice> {
    try {
      if (message.kind === 'open') {
        const secret = readSecret()
        try {
          handlers = new Map(Object.entries(await open(message.config, secret)))
        } finally {
          secret.fill(0)
        }
        return { kind: 'result', value: undefined }
      }
      const handler = handlers?.get(message.name)
      if (handler === undefined) throw new Error(`the device has no call ${message.name}`)
      return { kind: 'result', value: await handler(message.params) }
    } catch (error) {
      return fault(error)
    }
  }
}

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
function fault(error: unknown): FromDevice {
  const code = error instanceof CodedError ? String(error.code) : 'INTERNAL'
  const { detail } = (error ?? {}) as { detail?: unknown }
  return { kind: 'error', code, message: messageOf(error), detail }
}
