import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { AgentConfig } from '../agent/config.ts'
import { parseTcti } from '../tpm/tcti.ts'
import type { TpmConfig } from '../tpm/tpm.ts'
import { configOf, withConfig, type PlaceOptions } from './context.ts'

/** Where Linux has a TPM behind its resource manager. */
const DEVICE = 'device:/dev/tpmrm0'

/** A command that needs a TPM and nothing else of Attestry. */
export interface TpmOptions extends PlaceOptions {
  readonly tcti?: string
}

/** `--config`, or `--tcti`. */
export function withTpm(command: Command): Command {
  return withConfig(command).option(
    '--tcti <tcti>',
    `the TPM, as tpm2-tss names it, and no configuration (by default ${DEVICE} where there is none)`,
  )
}

/**
 * The TPM that the options name, and what the host's configuration says of the VMM, where there is one.
 *
 * @throws ConfigError, UsageError; TpmError `TCTI_INVALID`
 */
export async function standingTpmOf(
  options: TpmOptions,
): Promise<{ readonly tpm: TpmConfig; readonly vmm?: AgentConfig['vmm'] }> {
  if (options.tcti !== undefined) return { tpm: { tcti: parseTcti(options.tcti).configuration } }
  const stack = options.dir !== undefined && existsSync(join(resolve(options.dir), 'agent.toml'))
  if (options.config === undefined && !stack) return { tpm: { tcti: DEVICE } }
  return configOf(options)
}
