import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { SoftHsm } from '../stack/softhsm.ts'

/** The C reference, running. */
export interface Pkcs11Loop {
  /** Makes so many signatures in all. @returns seconds */
  sign(threads: number, times: number): Promise<number>
  /** Encrypts so many times so many bytes. @returns seconds */
  encrypt(bytes: number, times: number): Promise<number>
  stop(): Promise<void>
}

/** The labels of the keys that it works with. */
export interface LoopKeys {
  readonly ledgerKey: string
  readonly dataKey: string
}

const SOURCE = fileURLToPath(new URL('../../native/bench/pkcs11-loop.c', import.meta.url))
/** The binding brings the standard's header. */
const HEADERS = fileURLToPath(new URL('../../node_modules/pkcs11js/includes/pkcs11', import.meta.url))
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror', '-isystem', HEADERS]

/** Compiles native/bench/pkcs11-loop.c into `dir`. @returns the program's path */
export async function buildPkcs11Loop(dir: string): Promise<string> {
  const program = join(dir, 'pkcs11-loop')
  await promisify(execFile)('gcc', [...FLAGS, '-o', program, SOURCE, '-ldl', '-lpthread'])
  return program
}

/** Starts it on a token. The PIN goes through its standard input. */
export async function startPkcs11Loop(program: string, token: SoftHsm, keys: LoopKeys): Promise<Pkcs11Loop> {
  const pin = await readFile(token.pinFile, 'utf8')
  const env = { ...process.env, ...token.environment }
  const args = [token.module, token.token, keys.ledgerKey, keys.dataKey]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], env })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  child.stdin.write(`${pin}\n`)
  const run = async (line: string): Promise<number> => {
    child.stdin.write(`${line}\n`)
    const { value, done } = await lines.next()
    if (done === true) throw new Error('the C loop ended before its time')
    return Number(value)
  }
  return {
    sign: (threads, times) => run(`sign ${threads} ${times}`),
    encrypt: (bytes, times) => run(`encrypt ${bytes} ${times}`),
    async stop() {
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
