import { Command } from 'commander'
import { openHsm } from '../agent/open-hsm.ts'
import type { Hsm } from '../hsm/hsm.ts'
import type { AgentConfig } from '../agent/config.ts'
import { configOf, withConfig, type PlaceOptions } from './context.ts'
import { keyProbeCommand } from './key-probe.ts'
import { Output, table } from './output.ts'

/** `attestry key`: the keys in the HSM. */
export function keyCommand(): Command {
  const list = withConfig(new Command('list'))
    .description("list Attestry's keys in the HSM, with the attributes that the module claims for them")
    .addHelpText('after', '\nExample:\n  attestry key list --config /etc/attestry/agent.toml')
    .action(listKeys)
  const generate = withConfig(new Command('generate'))
    .description('make a key in the HSM: attestry/ledger/vN (secp256k1) or attestry/data/vN (AES-256)')
    .argument('<label>', 'the new key’s versioned label')
    .addHelpText('after', '\nExample:\n  attestry key generate attestry/data/v2')
    .action(generateKey)
  return new Command('key').addCommand(list).addCommand(generate).addCommand(keyProbeCommand())
}

async function listKeys(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const keys = await usingHsm(await configOf(options), (hsm) => hsm.listKeys())
  output.result(
    { ok: true, keys },
    keys.length === 0
      ? 'no keys of Attestry’s in this token'
      : table([['label', 'kind', 'address'], ...keys.map(({ label, kind, address }) => [label, kind, address ?? ''])]),
  )
}

async function generateKey(label: string, options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const key = await usingHsm(await configOf(options), (hsm) => hsm.generateKey(label))
  output.result(
    { ok: true, key },
    `made ${key.label} (${key.kind})${key.address === undefined ? '' : ` ${key.address}`}`,
  )
}

async function usingHsm<T>(config: AgentConfig, work: (hsm: Hsm) => Promise<T>): Promise<T> {
  const hsm = openHsm(config)
  try {
    return await work(hsm)
  } finally {
    await hsm.close()
  }
}
