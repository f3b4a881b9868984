import { readFile } from 'node:fs/promises'
import type { AgentConfig } from '../agent/config.ts'
import { messageOf } from '../core/error.ts'
import { compareWithIma, type ImaAgreement } from '../evidence/ima-manifest.ts'
import type { LoggedEvent } from '../tcg/canonical-event-log.ts'
import { IMA_PCR } from '../tcg/ima-replay.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { fileOf } from '../vmm/component-of.ts'
import type { VmmProfile } from '../vmm/profile.ts'
import { UsageError } from './error.ts'

/**
 * Compares a measurement with this kernel's IMA log.
 *
 * @throws UsageError `FILE_UNREADABLE` where there is a log that may not be read; ImaError; the TPM's own error
 */
export async function compareWithKernel(
  tpm: { readPcrs(selection: PcrSelection): Promise<ReadonlyMap<number, Uint8Array>> },
  profile: VmmProfile,
  manifest: readonly LoggedEvent[],
  { ima, imaLog }: Pick<AgentConfig['vmm'], 'ima' | 'imaLog'>,
): Promise<ImaAgreement> {
  // The PCR first: what the kernel logs between the two is behind what it covers.
  const value = (await tpm.readPcrs({ bank: 'sha256', pcrs: [IMA_PCR] })).get(IMA_PCR) ?? new Uint8Array()
  const evidence = {
    log: await readLog(imaLog),
    pcr: new Map([['sha256', value] as const]),
    required: ima === 'required',
  }
  return compareWithIma(manifest, evidence, (name) => fileOf(profile, name))
}

async function readLog(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new UsageError('FILE_UNREADABLE', `cannot read the IMA log ${path}: ${messageOf(cause)}`, { cause })
  }
}
