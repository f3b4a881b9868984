import { readConfig, type AgentConfig } from '../../src/agent/config.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { vmmHash } from '../../src/evidence/vmm-hash.ts'
import { Tpm } from '../../src/tpm/tpm.ts'
import { startAgent } from './agent-process.ts'
import { mineBlocks, startAnvil } from './anvil.ts'
import { writeConfiguration } from './configuration.ts'
import type { StackLayout } from './layout.ts'
import { PartList } from './part-list.ts'
import { signersOf } from './people.ts'
import { provision } from './provision.ts'
import { settleAll } from './settle-all.ts'
import { readState, writeState, type StackPart, type StackState } from './state.ts'
import { manufactureSwtpm, startSwtpm } from './swtpm.ts'
import { ensureToken } from './token.ts'
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

/** Starts what is missing. Where that fails, what was started is ended. The caller holds the stack's lock. */
export async function bringUp(layout: StackLayout, onProgress: (label: string) => void): Promise<StackInfo> {
  const before = await readState(layout)
  const parts = new PartList(layout, before)
  if (parts.complete) {
    const config = readConfig(layout.configuration)
    return infoOf(layout, { ...before, vmmHash: await measuredNow(config) }, [])
  }
  try {
    // With another TPM or ledger than it knows, the agent would have to find out what happened: it starts anew.
    await parts.end('agent')
    const config = await startDevices(layout, parts, before, onProgress)
    const provisioned = await provision(layout, config, await signersOf(layout), onProgress)
    onProgress('starting the agent')
    await parts.ensure('agent', async () => ({ ...(await startAgent(layout)), where: layout.agentSocket }))
    const state = { ...provisioned, rpc: config.ledger.rpc, parts: parts.all }
    await writeState(layout, state)
    return infoOf(layout, state, parts.started)
  } catch (error) {
    await parts.undo()
    throw error
  }
}

async function startDevices(
  layout: StackLayout,
  parts: PartList,
  before: StackState,
  onProgress: (label: string) => void,
): Promise<AgentConfig> {
  onProgress('starting TPM, HSM and ledger')
  await makeVmmFiles(layout)
  const [swtpm, anvil, hsm] = await settleAll([
    parts.ensure('swtpm', () => startTpm(layout)),
    parts.ensure('anvil', () => startLedger(layout, before.rpc)),
    ensureToken(layout),
  ])
  await writeConfiguration(layout, { tcti: swtpm.where, rpc: anvil.where, hsm })
  return readConfig(layout.configuration)
}

async function startTpm(layout: StackLayout): Promise<StackPart> {
  await manufactureSwtpm(layout.swtpm)
  const { process, tcti } = await startSwtpm(layout.swtpm)
  return { ...process, where: tcti }
}

/** On the port that it had, so that what was told about it stays true; on another one where that is taken. */
async function startLedger(layout: StackLayout, before: string | undefined): Promise<StackPart> {
  const { process, rpc } = await (before === undefined
    ? startAnvil(layout.anvil)
    : startAnvil(layout.anvil, { port: Number(new URL(before).port) }).catch(() => startAnvil(layout.anvil)))
  // A quote anchored to a block from before the restart would be refused: anvil gives another hash for it.
  if (before !== undefined) await mineBlocks(rpc, 2)
  return { ...process, where: rpc }
}

async function measuredNow({ tpm: tpmConfig, vmm }: AgentConfig): Promise<Hex> {
  const tpm = new Tpm(tpmConfig)
  try {
    return vmmHash(vmm.selection, await tpm.readPcrs(vmm.selection))
  } finally {
    await tpm.close()
  }
}

function infoOf(layout: StackLayout, state: StackState, started: readonly string[]): StackInfo {
  const { dir, agentSocket: socket } = layout
  const { hostId = '0x', ledgerAddress = '0x', vmmHash: measured = '0x', rpc = '', note = '' } = state
  return { dir, hostId, ledgerAddress, vmmHash: measured, rpc, socket, note, started }
}
