import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Hex } from '../../src/core/bytes.ts'
import { messageOf } from '../../src/core/error.ts'
import { StackError } from './error.ts'
import type { StackLayout } from './layout.ts'
import type { StackProcess } from './process.ts'

/** A process of the stack, and where it is reached. */
export interface StackPart extends StackProcess {
  readonly where: string
}

/** What a stack remembers. */
export interface StackState {
  /** In the order in which they depend on one another. */
  readonly parts: readonly StackPart[]
  /** The ledger's endpoint, as it last was. */
  readonly rpc?: string
  readonly hostId?: Hex
  readonly ledgerAddress?: Hex
  readonly vmmHash?: Hex
  /** What the VMM's profile leaves uncovered. */
  readonly note?: string
}

const EMPTY: StackState = { parts: [] }

/** Reads it; empty where there is none. @throws StackError `STATE_INVALID` */
export async function readState({ state }: StackLayout): Promise<StackState> {
  try {
    const text = await readFile(state, 'utf8')
    if (text === '') return EMPTY
    const value = JSON.parse(text) as StackState
    if (Array.isArray(value.parts) && value.parts.every(isPart)) return value
    throw new TypeError('expected a list of parts')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return EMPTY
    throw new StackError('STATE_INVALID', `${state} cannot be used: ${messageOf(cause)}`, { cause })
  }
}

/** Replaces it in one step, so that a process that was started is never forgotten half-way. */
export async function writeState({ state }: StackLayout, value: StackState): Promise<void> {
  const next = `${state}.next`
  await writeFile(next, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 })
  await rename(next, state)
}

/** A wrong number here could end a process that is not the stack's. */
function isPart(value: unknown): boolean {
  const { name, pid, startTime, log, where } = (value ?? {}) as Record<string, unknown>
  const texts = [name, startTime, log, where]
  return Number.isInteger(pid) && Number(pid) > 1 && texts.every((text) => typeof text === 'string' && text !== '')
}
