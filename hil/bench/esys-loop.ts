import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The C reference, running. */
export interface EsysLoop {
  /** Does something so many times. @returns seconds */
  run(what: 'quote' | 'pcrs', times: number): Promise<number>
  stop(): Promise<void>
}

const SOURCE = fileURLToPath(new URL('../../native/bench/esys-loop.c', import.meta.url))
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-Werror']
const LIBRARIES = ['-ltss2-esys', '-ltss2-tctildr', '-ltss2-rc']

/** Compiles native/bench/esys-loop.c into `dir`, and starts it on a TPM with this AK. */
export async function startEsysLoop(dir: string, tcti: string, akHandle: number): Promise<EsysLoop> {
  const program = join(dir, 'esys-loop')
  await promisify(execFile)('gcc', [...FLAGS, '-o', program, SOURCE, ...LIBRARIES])
  const child = spawn(program, [tcti, `0x${akHandle.toString(16)}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return {
    async run(what, times) {
      child.stdin.write(`${what} ${times}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new Error('the C loop ended before its time')
      return Number(value)
    },
    async stop() {
      child.stdin.end()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    },
  }
}
