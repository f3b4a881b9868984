import { spawn } from 'node:child_process'
import { closeSync, globSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that the local stack started, known so exactly that no other is ever ended in its place. */
export interface StackProcess {
  readonly name: string
  readonly pid: number
  /** Field 22 of /proc/PID/stat: tells a process from a later one with the same number. */
  readonly startTime: string
  readonly log: string
}

/**
 * Starts a program in the background, in a session of its own, with its output in `DIR/NAME.log`.
 *
 * @throws Error when the program cannot be started
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
      child.once('error', (cause) => reject(new Error(`${name}: cannot start ${command}`, { cause })))
    })
    child.unref()
    const { pid } = child
    const startTime = pid === undefined ? undefined : startTimeOf(pid)
    if (pid === undefined || startTime === undefined) throw new Error(`${name}: ended at once; see ${log}`)
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

/** Waits until something holds of a process that is starting. @throws Error when the process ends first, or in `timeoutMs` */
export async function untilReady(
  process: StackProcess,
  ready: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await ready())) {
    if (!isRunning(process)) throw new Error(`${process.name} ended while starting; see ${process.log}`)
    if (Date.now() > deadline) throw new Error(`${process.name} was not ready in ${timeoutMs} ms; see ${process.log}`)
    await sleep(20)
  }
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
