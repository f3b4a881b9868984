import { realpath } from 'node:fs/promises'
import { readConfig } from '../../src/agent/config.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { vmmHash } from '../../src/evidence/vmm-hash.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { withLock } from '../../src/vmm/lock.ts'
import { startAgent } from './agent-process.ts'
import { startAnvil } from './anvil.ts'
import { TOKEN, writeConfiguration } from './configuration.ts'
import { layoutOf, makeDirectories, type StackLayout } from './layout.ts'
import { makePin, signersOf } from './people.ts'
import { isRunning, stopProcess } from './process.ts'
import { provision } from './provision.ts'
import { makeSoftHsmToken } from './softhsm.ts'
import { readState, writeState, type StackPart, type StackState } from './state.ts'
import { manufactureSwtpm, startSwtpm } from './swtpm.ts'
import { makeVmmFiles } from './vmm-files.ts'

/** A stack that runs. */
export interface StackInfo {
  readonly dir: string
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  /** What the host measures as now. */
  readonly vmmHash: Hex
  readonly rpc: string
  readonly socket: string
  /** What the VMM's profile leaves uncovered. */
  readonly note: string
  /** Names of what was started now; empty where all ran. */
  readonly started: readonly string[]
}

/** One line of the status. */
export interface PartStatus extends Omit<StackPart, 'startTime'> {
  readonly running: boolean
}

/** In the order in which they depend on one another. */
const PARTS = ['swtpm', 'anvil', 'agent'] as const
type PartName = (typeof PARTS)[number]

/** The agent lets operations under way end; anvil writes its state. */
const GRACE_MS = 20_000

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

/** Ends exactly the processes of a stack. @returns the names of those that were running */
export async function stackDown(dir: string): Promise<readonly string[]> {
  const layout = layoutOf(dir)
  const { parts } = await readState(layout)
  if (parts.length === 0) return []
  return withLock(await realpath(layout.dir), async () => {
    const running = (await readState(layout)).parts.filter(isRunning)
    await stop(running)
    return running.map(({ name }) => name).toReversed()
  })
}

/** What a stack consists of, and what of it runs. No parts where there is no stack. */
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

async function bringUp(layout: StackLayout, onProgress: (label: string) => void): Promise<StackInfo> {
  const before = await readState(layout)
  const parts = new Map(before.parts.filter(isRunning).map((part) => [part.name as PartName, part]))
  const started: StackPart[] = []
  const keep = async (part: StackPart): Promise<StackPart> => {
    started.push(part)
    parts.set(part.name as PartName, part)
    await writeState(layout, { ...before, parts: inOrder(parts) })
    return part
  }
  if (PARTS.every((name) => parts.has(name))) return infoOf(layout, before, await measuredNow(layout), started)
  // The agent holds on to a TPM and a ledger: with new ones it starts anew.
  const agent = parts.get('agent')
  if (agent !== undefined) await stop([agent])
  parts.delete('agent')
  await writeState(layout, { ...before, parts: inOrder(parts) })
  try {
    onProgress('starting the TPM')
    await manufactureSwtpm(layout.swtpm)
    if (!parts.has('swtpm')) {
      const { process, tcti } = await startSwtpm(layout.swtpm)
      await keep({ ...process, where: tcti })
    }
    const tcti = parts.get('swtpm')?.where ?? ''
    onProgress('starting the ledger')
    if (!parts.has('anvil')) {
      const { process, rpc } = await startLedger(layout, before.rpc)
      await keep({ ...process, where: rpc })
    }
    const rpc = parts.get('anvil')?.where ?? ''
    onProgress('preparing the HSM')
    await makePin(layout)
    const { module, environment } = await makeSoftHsmToken(layout.softhsm, { label: TOKEN, pinFile: layout.pin })
    await makeVmmFiles(layout)
    await writeConfiguration(layout, { tcti, rpc, module, environment })
    const signers = await signersOf(layout)
    const config = readConfig(layout.configuration)
    const provisioned = await provision(layout, config, signers, onProgress)
    onProgress('starting the agent')
    await keep({ ...(await startAgent(layout)), where: layout.agentSocket })
    const state = { ...provisioned, rpc, parts: inOrder(parts) }
    await writeState(layout, state)
    return infoOf(layout, state, provisioned.vmmHash, started)
  } catch (error) {
    await stop(started)
    throw error
  }
}

/** On the port that it had, so that what was told about it stays true; on another one where that is taken. */
async function startLedger(layout: StackLayout, rpc: string | undefined): ReturnType<typeof startAnvil> {
  if (rpc === undefined) return startAnvil(layout.anvil)
  try {
    return await startAnvil(layout.anvil, { port: Number(new URL(rpc).port) })
  } catch {
    return startAnvil(layout.anvil)
  }
}

async function measuredNow(layout: StackLayout): Promise<Hex> {
  const { tpm: tpmConfig, vmm } = readConfig(layout.configuration)
  const tpm = new Tpm(tpmConfig)
  try {
    return vmmHash(vmm.selection, await tpm.readPcrs(vmm.selection))
  } finally {
    await tpm.close()
  }
}

function infoOf(
  layout: StackLayout,
  { hostId = '0x', ledgerAddress = '0x', rpc = '', note = '' }: StackState,
  measured: Hex,
  started: readonly StackPart[],
): StackInfo {
  const { dir, agentSocket: socket } = layout
  return { dir, hostId, ledgerAddress, vmmHash: measured, rpc, socket, note, started: started.map(({ name }) => name) }
}

function inOrder(parts: ReadonlyMap<PartName, StackPart>): readonly StackPart[] {
  return PARTS.flatMap((name) => parts.get(name) ?? [])
}

/** Ends parts in the reverse order of their starting: nothing outlives what depends on it. */
async function stop(parts: readonly StackPart[]): Promise<void> {
  for (const part of parts.toReversed()) await stopProcess(part, GRACE_MS)
}
