/** The ten steps of an operation, in order (docs/architecture.md, "One operation"). */
export const STEPS = [
  'request',
  'access',
  'measure',
  'secure-mode',
  'execute',
  'measure-again',
  'record',
  'release',
  'reply',
  'commit',
] as const

export type StepName = (typeof STEPS)[number]

/** What became of one step. */
export interface Step {
  /** 1 to 10. */
  readonly step: number
  readonly name: StepName
  readonly ok: boolean
  readonly ms: number
  /** Public identifiers and codes only. */
  readonly detail?: string
}

/** What happened in one operation: for its customer, who may publish it. */
export class Trace {
  readonly #steps = new Map<StepName, Step>()

  /** Runs a step and keeps its time. @param detail what to say of its result */
  async time<T>(name: StepName, work: () => T | Promise<T>, detail?: (result: T) => string): Promise<T> {
    const start = performance.now()
    try {
      const result = await work()
      this.note(name, true, detail?.(result), performance.now() - start)
      return result
    } catch (error) {
      const code = (error as { code?: unknown }).code
      this.note(name, false, typeof code === 'string' ? code : undefined, performance.now() - start)
      throw error
    }
  }

  /** Says what became of a step; a later word on the same step replaces the earlier one, but not its time. */
  note(name: StepName, ok: boolean, detail?: string, ms = this.#steps.get(name)?.ms ?? 0): void {
    const step = STEPS.indexOf(name) + 1
    this.#steps.set(name, {
      step,
      name,
      ok,
      ms: Math.round(ms * 1000) / 1000,
      ...(detail === undefined ? {} : { detail }),
    })
  }

  /** The steps that were come to, by number. */
  get steps(): readonly Step[] {
    return [...this.#steps.values()].sort((a, b) => a.step - b.step)
  }
}
