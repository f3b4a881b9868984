import type { StackLayout } from './layout.ts'
import { isRunning, stopProcess } from './process.ts'
import { writeState, type StackPart, type StackState } from './state.ts'

/** In the order in which they depend on one another. */
const ORDER = ['swtpm', 'anvil', 'agent']

/** The agent lets operations under way end; anvil writes its state. */
const GRACE_MS = 20_000

/** The parts of one stack while it is brought up: each is written down as soon as it runs. */
export class PartList {
  readonly #layout: StackLayout
  readonly #before: StackState
  readonly #parts = new Map<string, StackPart>()
  readonly #started: StackPart[] = []
  #written: Promise<void> = Promise.resolve()

  constructor(layout: StackLayout, before: StackState) {
    this.#layout = layout
    this.#before = before
    for (const part of before.parts) if (isRunning(part)) this.#parts.set(part.name, part)
  }

  /** In the order in which they depend on one another. */
  get all(): readonly StackPart[] {
    return ORDER.flatMap((name) => this.#parts.get(name) ?? [])
  }

  get complete(): boolean {
    return ORDER.every((name) => this.#parts.has(name))
  }

  /** Names of the parts that were started now. */
  get started(): readonly string[] {
    return this.#started.map(({ name }) => name)
  }

  /** The part that runs, or else the one that is started. */
  async ensure(name: string, start: () => Promise<StackPart>): Promise<StackPart> {
    const running = this.#parts.get(name)
    if (running !== undefined) return running
    const part = await start()
    this.#started.push(part)
    this.#parts.set(name, part)
    // One after the other: parts may be started at the same time.
    this.#written = this.#written.then(() => writeState(this.#layout, { ...this.#before, parts: this.all }))
    await this.#written
    return part
  }

  /** Ends one part, so that it is started anew. */
  async end(name: string): Promise<void> {
    const part = this.#parts.get(name)
    if (part !== undefined) await stopParts([part])
    this.#parts.delete(name)
  }

  /** Ends what was started now. */
  async undo(): Promise<void> {
    await stopParts(this.#started)
  }
}

/** Ends parts in the reverse order of their starting: nothing outlives what it depends on. */
export async function stopParts(parts: readonly StackPart[]): Promise<void> {
  for (const part of parts.toReversed()) await stopProcess(part, GRACE_MS)
}
