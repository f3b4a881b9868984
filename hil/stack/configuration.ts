import { writeFile } from 'node:fs/promises'
import { stringify } from 'smol-toml'
import type { StackLayout } from './layout.ts'
import type { SoftHsm } from './softhsm.ts'

/** What is not known before the parts run. */
export interface StackAddresses {
  readonly tcti: string
  readonly rpc: string
  readonly hsm: SoftHsm
}

/** Writes the agent's configuration for a stack. */
export async function writeConfiguration(layout: StackLayout, addresses: StackAddresses): Promise<void> {
  const { tcti, rpc, hsm } = addresses
  const text = stringify({
    state: layout.agentState,
    tpm: { tcti, deadline_ms: 10_000 },
    hsm: {
      module: hsm.module,
      token: hsm.token,
      pin_file: hsm.pinFile,
      environment: hsm.environment,
      deadline_ms: 10_000,
      ledger_key: 'attestry/ledger/v1',
      data_key: 'attestry/data/v1',
    },
    ledger: { rpc, deployment: layout.deployment, staleness_s: 60 },
    vmm: { profile: 'ci', pcr: 13, selection: [13], log: layout.log, directory: layout.vmm },
    api: {
      socket: layout.agentSocket,
      max_input_bytes: 4 << 20,
      release: 'confirmed',
      release_timeout_ms: 60_000,
    },
  })
  const header = '# Written anew whenever the local stack is started: changes are lost.\n\n'
  await writeFile(layout.configuration, header + text, { mode: 0o600 })
}
