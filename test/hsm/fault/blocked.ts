import { readFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const TICK_MS = 10

/** Watches how long this process's event loop is kept from its next turn. */
export interface LoopWatch {
  /** @returns the longest delay, in milliseconds: as measured, and without what the thread waited for a processor */
  stop(): { readonly measuredMs: number; readonly blockedMs: number }
}

/**
 * On a machine that has other work a thread that is ready waits for its turn, which is no block of its own: Linux counts
 * that wait for each thread (proc(5), schedstat, the second figure, in nanoseconds).
 */
export function watchLoop(): LoopWatch {
  const histogram = monitorEventLoopDelay({ resolution: TICK_MS })
  histogram.enable()
  let [last, waited, blockedMs] = [performance.now(), waitedMs(), 0]
  const timer = setInterval(() => {
    const [now, waitedNow] = [performance.now(), waitedMs()]
    blockedMs = Math.max(blockedMs, now - last - TICK_MS - (waitedNow - waited))
    ;[last, waited] = [now, waitedNow]
  }, TICK_MS)
  return {
    stop() {
      clearInterval(timer)
      histogram.disable()
      return { measuredMs: histogram.max / 1e6, blockedMs }
    },
  }
}

function waitedMs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6
}
