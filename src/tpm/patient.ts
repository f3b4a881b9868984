import type { TpmCommands, TpmConnection } from './commands.ts'
import { reactionTo } from './reactions.ts'

const FIRST_PAUSE_MS = 5
const LONGEST_PAUSE_MS = 200

/**
 * A connection whose commands are sent again while the TPM says that it has not begun (the reaction `wait`): each for at
 * most `patienceMs`, then its last answer is the error. tpm2-tss by itself sends again a few times, without a pause, and
 * not for each of these codes. Blocks the process, which has nothing else to do.
 */
export function patient(connection: TpmConnection, patienceMs: number): TpmConnection {
  const commands = Object.fromEntries(
    Object.entries(connection.commands).map(([name, command]) => [
      name,
      (...inputs: unknown[]) => persist(() => (command as (...inputs: unknown[]) => unknown)(...inputs), patienceMs),
    ]),
  ) as unknown as TpmCommands
  return {
    commands,
    send: (name, code, parameters) => persist(() => connection.send(name, code, parameters), patienceMs),
    forget: (object) => connection.forget(object),
    flush: (tpmHandle) => persist(() => connection.flush(tpmHandle), patienceMs),
    close: () => connection.close(),
  }
}

function persist<T>(send: () => T, patienceMs: number): T {
  const end = performance.now() + patienceMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return send()
    } catch (error) {
      if (reactionTo(error) !== 'wait' || performance.now() + pauseMs > end) throw error
    }
    Atomics.wait(SLEEPER, 0, 0, pauseMs)
  }
}

/** Nobody wakes it. */
const SLEEPER = new Int32Array(new SharedArrayBuffer(4))
