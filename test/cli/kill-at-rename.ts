// Preloaded into a command (`node --import`): it dies just before or just after the n-th time that it renames a file, as KILL_AT_RENAME
// says: "before 0", "after 1".
import { promises } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const [when, n] = (process.env.KILL_AT_RENAME ?? '').split(' ')
const rename = promises.rename
let renames = 0

promises.rename = async (from, to) => {
  const isIt = renames++ === Number(n)
  if (isIt && when === 'before') process.kill(process.pid, 'SIGKILL')
  await rename(from, to)
  if (isIt && when === 'after') process.kill(process.pid, 'SIGKILL')
}
syncBuiltinESMExports()
