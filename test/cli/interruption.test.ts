import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { processesOf } from './processes.ts'

const bin = fileURLToPath(new URL('../../bin/attestry.js', import.meta.url))

/** Runs a command in a process group of its own, and sends the whole group Ctrl-C once something holds. */
async function interrupted(
  args: readonly string[],
  when: () => boolean,
): Promise<{ code: number | null; stderr: string }> {
  const child = spawn(process.execPath, [bin, ...args], { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  while (child.exitCode === null && !when()) await sleep(20)
  assert.ok(child.pid !== undefined)
  process.kill(-child.pid, 'SIGINT')
  return { code: await ended, stderr }
}

describe('Ctrl-C', function () {
  this.timeout(120_000)
  let dir: string
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-int-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  for (const command of ['dev up', 'demo']) {
    it(`ends ${command} and all that it started`, async () => {
      const started = () => existsSync(join(dir, 'swtpm', 'swtpm.sock'))
      const { code, stderr } = await interrupted([...command.split(' '), '--dir', dir], started)
      assert.equal(code, 130)
      assert.match(stderr, /interrupted: ending what was started/)
      assert.doesNotMatch(stderr, /\n {4}at /)
      assert.deepEqual(processesOf(dir), [])
    })
  }
})
