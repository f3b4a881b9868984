import { Gate } from '../../src/agent/gate.ts'

/** A process with a gate that takes connections and answers nothing, to be killed. Its argument is the socket's path. */
const gate = new Gate(
  process.argv[2] ?? '',
  0o600,
  () => undefined,
  () => undefined,
)
await gate.open()
process.send?.(gate.pid)
