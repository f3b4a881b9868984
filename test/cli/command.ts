import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))

/** How one command ended. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Standard output as the one JSON object that it should be. @throws where it is anything else */
  json(): Record<string, unknown>
}

/** Runs `attestry` with some arguments, as a user would, in a directory that has no stack. */
export function attestry(...args: readonly string[]): Promise<Ended> {
  return attestryIn({}, ...args)
}

/** Runs `attestry` with something else in its environment. */
export async function attestryIn(
  environment: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<Ended> {
  const env = { ...process.env, ...environment }
  const child = spawn(process.execPath, [bin, ...args], { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], env })
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  const text = Buffer.concat(stdout).toString()
  return {
    code,
    stdout: text,
    stderr: Buffer.concat(stderr).toString(),
    json: () => JSON.parse(text) as Record<string, unknown>,
  }
}

/** Starts `attestry`, for whoever wants to end it early; what it says is thrown away. */
export function startAttestry(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [bin, ...args], { cwd: '/', stdio: 'ignore' })
}

/** How a command failed: its exit code and its error's code. */
export function faultOf(ended: Ended): { readonly exit: number | null; readonly code: unknown } {
  return { exit: ended.code, code: (ended.json()['error'] as { code?: unknown } | undefined)?.code }
}
