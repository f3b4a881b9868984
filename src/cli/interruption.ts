import { CodedError } from '../core/error.ts'

/** A command that a signal told to end. */
export class InterruptedError extends CodedError<'INTERRUPTED'> {
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals) {
    super('INTERRUPTED', `told to end by ${signal}`)
    this.signal = signal
  }
}

/**
 * Lets a command that starts processes end as it should on Ctrl-C: the signal is told at once and noted, and `check` throws at
 * the next point where what was started can be ended.
 */
export class Interruption implements Disposable {
  #signal: NodeJS.Signals | undefined
  readonly #listen: (signal: NodeJS.Signals) => void

  /** @param onSignal what can be done at once */
  constructor(onSignal: () => void = () => undefined) {
    this.#listen = (signal) => {
      if (this.#signal !== undefined) return
      this.#signal = signal
      process.stderr.write('\ninterrupted: ending what was started …\n')
      onSignal()
    }
    process.on('SIGINT', this.#listen).on('SIGTERM', this.#listen)
  }

  get signal(): NodeJS.Signals | undefined {
    return this.#signal
  }

  /** @throws InterruptedError after a signal */
  check(): void {
    if (this.#signal !== undefined) throw new InterruptedError(this.#signal)
  }

  [Symbol.dispose](): void {
    process.off('SIGINT', this.#listen).off('SIGTERM', this.#listen)
  }
}

/** The exit code of a process that a signal ended, as shells tell it. */
export function exitCodeOfSignal(signal: NodeJS.Signals): number {
  return signal === 'SIGINT' ? 130 : 143
}
