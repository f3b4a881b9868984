import { existsSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import { withLock } from '../../src/vmm/lock.ts'
import { bringUp, type StackInfo } from './bring-up.ts'
import { layoutOf, makeDirectories } from './layout.ts'
import { stopParts } from './part-list.ts'
import { isRunning } from './process.ts'
import { readState, type StackPart, type StackState } from './state.ts'

/** One process of a stack. */
export interface PartStatus extends Omit<StackPart, 'startTime'> {
  readonly running: boolean
}

/**
 * Starts a local stack, or what is missing of it: a software TPM, a SoftHSM token, a development ledger with the contracts,
 * and the agent of a host that is enrolled and whose VMM is authorised. Does nothing where all runs.
 *
 * Nothing that was started is left running where it fails.
 *
 * @param dir empty, not there, or a stack's
 * @throws StackError; what the parts throw
 */
export async function stackUp(
  dir: string,
  options: { readonly onProgress?: (label: string) => void } = {},
): Promise<StackInfo> {
  const layout = layoutOf(dir)
  await makeDirectories(layout)
  return withLock(await realpath(layout.dir), () => bringUp(layout, options.onProgress ?? (() => undefined)))
}

/**
 * Ends exactly the processes of a stack. Its data stay.
 *
 * @returns the names of those that were running, in the order in which they were ended
 */
export async function stackDown(dir: string): Promise<readonly string[]> {
  const layout = layoutOf(dir)
  if (!existsSync(layout.state)) return []
  return withLock(await realpath(layout.dir), async () => {
    const running = (await readState(layout)).parts.filter(isRunning)
    await stopParts(running)
    return running.map(({ name }) => name).toReversed()
  })
}

/** What a stack consists of, and what of it runs. No processes where there is no stack. */
export async function stackStatus(
  dir: string,
): Promise<Omit<StackState, 'parts'> & { readonly processes: readonly PartStatus[] }> {
  const { parts, ...rest } = await readState(layoutOf(dir))
  const processes = parts.map((part) => {
    const { name, pid, log, where } = part
    return { name, pid, log, where, running: isRunning(part) }
  })
  return { ...rest, processes }
}
