/** What has to be ended before this process may end. */
const things = new Set<() => Promise<void>>()
/** After a signal: until this process is gone. */
let ending: Promise<void> | undefined

/**
 * Has something ended on Ctrl-C or SIGTERM too: what was started in a session of its own, and files that nobody wants any more. Then the
 * process ends with the signal's exit code.
 *
 * @returns to be called where all goes its usual way, or fails: ends it, once. After a signal it does not come back, so that nobody sees the
 * faults of what was ended below them
 */
export function cleanUp(end: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined
  const once = (): Promise<void> => (ended ??= end())
  if (things.size === 0) process.on('SIGINT', endAll).on('SIGTERM', endAll)
  things.add(once)
  return async () => {
    try {
      await once()
    } finally {
      // Also of a signal that came meanwhile, or that ended first what this process noticed first.
      if (ending !== undefined) await ending
      if (things.delete(once) && things.size === 0) process.off('SIGINT', endAll).off('SIGTERM', endAll)
    }
  }
}

function endAll(signal: NodeJS.Signals): void {
  if (ending !== undefined) return
  process.stderr.write('\ninterrupted: ending what was started …\n')
  ending = Promise.allSettled([...things].map((end) => end())).then(() => process.exit(signal === 'SIGINT' ? 130 : 143))
}
