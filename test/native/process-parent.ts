import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// Starts the child of the test, passes its number on, and stays.
spawn(process.execPath, [fileURLToPath(new URL('process-subject.ts', import.meta.url))], {
  stdio: ['ignore', 'inherit', 'inherit'],
})
