import { spawn } from 'node:child_process'
import { closeSync, globSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from './error.ts'

/** A process that the local stack started, known so exactly that no other is ever ended in its place. */
export interface StackProcess {
  readonly name: string
  readonly pid: number
  /** Field 22 of /proc/PID/stat: tells a process from a later one with the same number. */
  readonly startTime: string
  readonly log: string
}

/** Debian's packages of the programs that a stack runs. */
const PACKAGES: Readonly<Record<string, string>> = { swtpm: 'swtpm', swtpm_setup: 'swtpm-tools' }

/**
 * Starts a program in the background, in a session of its own, with its output in `DIR/NAME.log`.
 *
 * @throws StackError `PROGRAM_MISSING` when the program cannot be started, `PROCESS_ENDED`
 */
export async function startProcess(
  name: string,
  dir: string,
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<StackProcess> {
  const log = join(dir, `${name}.log`)
  const output = openSync(log, 'a', 0o600)
  try {
    const child = spawn(command, args, {
      cwd: dir,
      detached: true,
      stdio: ['ignore', output, output],
      env: { ...process.env, ...environment },
    })
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (cause) => reject(missing(command, cause)))
    })
    child.unref()
    const { pid } = child
    const startTime = pid === undefined ? undefined : startTimeOf(pid)
    if (pid === undefined || startTime === undefined) {
      throw new StackError('PROCESS_ENDED', `${name} ended at once; see ${log}`)
    }
    return { name, pid, startTime, log }
  } finally {
    closeSync(output)
  }
}

/** Whether it is still there (a zombie is not). */
export function isRunning(process: StackProcess): boolean {
  return startTimeOf(process.pid) === process.startTime
}

/**
 * Ends it: SIGTERM, and SIGKILL where it has not gone in time. Its children, whom it is to end, are waited for, and ended
 * where they outlive it for as long. Nothing happens where it is gone already.
 */
export async function stopProcess(process: StackProcess, graceMs = 5000): Promise<void> {
  const children = isRunning(process) ? childrenOf(process) : []
  signal(process, 'SIGTERM')
  for (const each of [process, ...children]) {
    const deadline = Date.now() + graceMs
    while (isRunning(each)) {
      if (Date.now() > deadline) signal(each, 'SIGKILL')
      await sleep(20)
    }
  }
}

/**
 * Waits until something holds of a process that is starting. Where it does not come to that, the process is ended.
 *
 * @throws StackError `PROCESS_ENDED` when the process ends first, `NOT_READY` after `timeoutMs`
 */
export async function untilReady(
  process: StackProcess,
  ready: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const { name, log } = process
  const deadline = Date.now() + timeoutMs
  while (!(await ready())) {
    if (!isRunning(process)) throw new StackError('PROCESS_ENDED', `${name} ended while starting; see ${log}`)
    if (Date.now() > deadline) {
      await stopProcess(process)
      throw new StackError('NOT_READY', `${name} was not ready in ${timeoutMs} ms; see ${log}`)
    }
    await sleep(20)
  }
}

/** Why a program cannot be started, and where it comes from. */
export function missing(command: string, cause: Error): StackError {
  const from = PACKAGES[command]
  const help = from === undefined ? '' : `: install it (Debian package ${from}) and see that it is on the PATH`
  return new StackError('PROGRAM_MISSING', `${command} cannot be started${help}`, { cause })
}

function signal(target: StackProcess, name: NodeJS.Signals): void {
  if (isRunning(target)) process.kill(target.pid, name)
}

function childrenOf({ name, pid, log }: StackProcess): readonly StackProcess[] {
  return globSync(`/proc/${pid}/task/*/children`).flatMap((path) =>
    readText(path)
      .split(' ')
      .flatMap((child) => {
        const startTime = startTimeOf(Number(child))
        return startTime === undefined ? [] : [{ name: `${name}'s child`, pid: Number(child), startTime, log }]
      }),
  )
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

function startTimeOf(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' ? undefined : fields[19]
}
