import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { Hex } from '../core/bytes.ts'
import { ConfigError } from '../core/config-error.ts'
import { parseToml, type ConfigTable } from '../core/config-table.ts'
import type { DeployOptions } from '../ledger/deploy.ts'
import { ZERO_ADDRESS } from '../record/hash.ts'
import { fileFault } from './file-fault.ts'

/** What `attestry ledger deploy` is told. */
export interface DeployConfig {
  readonly rpc: string
  readonly chainId: bigint
  /** The file with the deployer's key. */
  readonly keyFile: string
  /** Where the deployment file goes. */
  readonly output: string
  readonly options: DeployOptions
}

const ADDRESS = /^0x[0-9a-fA-F]{40}$/

/**
 * Reads the configuration of a deployment; paths in it are from its own directory on.
 *
 * @throws ConfigError CONFIG_UNREADABLE, CONFIG_SYNTAX, CONFIG_UNKNOWN_KEY, CONFIG_INVALID
 */
export function readDeployConfig(path: string): DeployConfig {
  const root = parseToml(read(path), path)
  const [ledger, roles] = [root.table('ledger'), root.table('roles')]
  const directory = dirname(resolve(path))
  const transactionType = ledger.integer('transaction_type', { min: 0, max: 2, or: 2 })
  if (transactionType === 1) throw ledger.invalid('transaction_type', '0 (legacy) or 2 (EIP-1559)')
  const config: DeployConfig = {
    rpc: ledger.url('rpc'),
    chainId: BigInt(ledger.integer('chain_id', { min: 1, max: Number.MAX_SAFE_INTEGER, or: 0 })),
    keyFile: resolve(directory, root.string('key_file')),
    output: resolve(directory, root.string('output')),
    options: {
      registrars: addresses(roles, 'registrars'),
      approvers: addresses(roles, 'approvers'),
      threshold: roles.integer('threshold', { min: 1, max: 64, or: 0 }),
      profile: {
        transactionType: transactionType === 0 ? 0 : 2,
        maxTransactionBytes: ledger.integer('max_transaction_bytes', { min: 32_768, max: 1_048_576, or: 131_072 }),
      },
    },
  }
  root.end()
  if (config.chainId === 0n) throw ledger.invalid('chain_id', 'the chain’s number')
  const { approvers, threshold } = config.options
  if (threshold < 1 || threshold > approvers.length) {
    throw roles.invalid('threshold', `how many of the ${approvers.length} approvers decide, from 1 on`)
  }
  return config
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError('CONFIG_UNREADABLE', `cannot read the configuration ${path}: ${fileFault(cause)}`, { cause })
  }
}

function addresses(table: ConfigTable, key: string): readonly Hex[] {
  const values = table.list(key)
  const all: Hex[] = []
  for (const value of values) {
    const one = String(value).toLowerCase()
    if (typeof value !== 'string' || !ADDRESS.test(value)) throw table.invalid(key, `addresses, not ${one}`)
    if (one === ZERO_ADDRESS) throw table.invalid(key, `addresses of somebody, not ${one}`)
    if (all.includes(one as Hex)) throw table.invalid(key, `each address once, not ${one} twice`)
    all.push(one as Hex)
  }
  if (all.length === 0) throw table.invalid(key, 'at least one address')
  return all
}
