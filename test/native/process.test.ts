import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

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
