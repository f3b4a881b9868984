import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Starts a file of this directory, and reads the process number that it prints. */
async function start(file: string): Promise<{ child: ChildProcess; pid: number }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url))], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { child, pid: Number(line.toString()) }
}

function isThere(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}

describe('undumpable', () => {
  it('leaves the process to root alone', async () => {
    const module = new URL('../../native/process.ts', import.meta.url).href
    // The owner of /proc/PID/environ is the process's user, or root where it is not dumpable (proc(5)).
    const script = `
      import { statSync } from 'node:fs'
      import { undumpable } from '${module}'
      if (process.getuid() === 0) { process.setgroups([]); process.setgid(65534); process.setuid(65534) }
      undumpable()
      console.log(statSync('/proc/self/environ').uid)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    assert.equal(stdout, '0\n')
  })
})

describe('endWithParent', () => {
  it('ends the process when its parent is killed', async () => {
    const { child, pid } = await start('process-parent.ts')
    assert.ok(isThere(pid))
    child.kill('SIGKILL')
    while (isThere(pid)) await sleep(10)
  })
})
