import { readFileSync, readlinkSync } from 'node:fs'
import { CodedError } from '../../src/core/error.ts'
import { serveDevice } from '../../src/device/serve.ts'

/** The calls of the small device that the tests drive. */
export interface EchoCalls {
  readonly echo: (params: unknown) => unknown
  readonly about: () => About
  readonly fail: (params: { code: string }) => never
  readonly hang: () => never
  readonly exit: (params: { status: number }) => never
}

export interface About {
  readonly config: unknown
  readonly secretBytes: number
  readonly secretSum: number
  readonly argv: string
  readonly environment: string
  readonly secretFd: string
}

class EchoError extends CodedError {
  readonly detail = { rv: 7 }
}

serveDevice<EchoCalls>((config, secret) => {
  const refusal = (config as { refuse?: string } | undefined)?.refuse
  if (refusal !== undefined) throw new EchoError(refusal, 'the device refuses to open')
  if ((config as { dieAtStart?: boolean } | undefined)?.dieAtStart === true) process.exit(3)
  const secretBytes = secret.length
  const secretSum = secret.reduce((sum, byte) => sum + byte, 0)
  return {
    echo: (params) => params,
    about: () => ({
      config,
      secretBytes,
      secretSum,
      argv: read('cmdline'),
      environment: read('environ'),
      secretFd: link(),
    }),
    fail: ({ code }) => {
      throw new EchoError(code, `failed with ${code}`)
    },
    hang: () => {
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    },
    exit: ({ status }) => process.exit(status),
  }
})

function read(name: string): string {
  return readFileSync(`/proc/self/${name}`, 'utf8')
}

function link(): string {
  try {
    return readlinkSync('/proc/self/fd/4')
  } catch {
    return ''
  }
}
