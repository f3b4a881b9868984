import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { processesOf } from '../cli/processes.ts'

const bench = fileURLToPath(new URL('../../hil/bench/main.ts', import.meta.url))

describe('npm run bench', function () {
  this.timeout(120_000)
  let dir: string
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'attestry-ended-'))))
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  for (const [suite, afterMs] of [
    ['gas', 0],
    ['gas', 3000],
    ['engine', 0],
  ] as const) {
    it(`leaves nothing of ${suite} behind after Ctrl-C, ${afterMs} ms after its directory is there`, async () => {
      const env = { ...process.env, TMPDIR: dir }
      const child = spawn(process.execPath, [bench, suite], { detached: true, stdio: 'ignore', env })
      const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
      while (child.exitCode === null && readdirSync(dir).length === 0) await sleep(20)
      await sleep(afterMs)
      assert.ok(child.pid !== undefined && child.exitCode === null)
      process.kill(-child.pid, 'SIGINT')
      assert.equal(await ended, 130)
      assert.deepEqual(processesOf(dir), [])
      assert.deepEqual(
        readdirSync(dir).filter((name) => name.startsWith('attestry-')),
        [],
      )
    })
  }
})
