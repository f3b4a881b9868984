import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Option, type Command } from 'commander'
import { readDeployment, type Deployment } from '../ledger/deployment.ts'
import { LedgerError, isLedgerError } from '../ledger/error.ts'
import { Ledger } from '../ledger/ledger.ts'
import { keyFileSigner, type DigestSigner } from '../ledger/signer.ts'
import type { AgentConfig } from '../agent/config.ts'
import { UsageError } from './error.ts'
import { fileFault } from './file-fault.ts'

/** Where the local stack lives unless another place is named. */
export const DIRECTORY = fileURLToPath(new URL('../../.attestry', import.meta.url))

/** Where a command finds ledger, configuration and keys: a local stack's directory, or files named one by one. */
export interface PlaceOptions {
  readonly dir?: string
  readonly config?: string
  readonly rpc?: string
  readonly deployment?: string
  readonly key?: string
  readonly as?: string
  readonly json?: boolean
}

/** `--dir`, and `--json`. */
export function withDirectory(command: Command): Command {
  return command
    .addOption(
      new Option('--dir <directory>', "the local stack's directory")
        .env('ATTESTRY_DIR')
        .default(DIRECTORY, 'the clone’s .attestry'),
    )
    .option('--json', 'one JSON object on standard output', false)
}

/** `--dir`, or a ledger of one's own by `--rpc` and `--deployment`. */
export function withLedger(command: Command): Command {
  return withDirectory(command)
    .option('--rpc <url>', "the ledger's JSON-RPC endpoint, instead of the local stack's")
    .option('--deployment <file>', 'the deployment file that goes with --rpc')
}

/** `--dir`, or a host's configuration file. */
export function withConfig(command: Command): Command {
  return withDirectory(command).addOption(
    new Option('--config <file>', "the host's configuration, instead of the local stack's").env('ATTESTRY_CONFIG'),
  )
}

/** Who signs: one of the local stack's people, or a key file. */
export function withSigner(command: Command, person?: string): Command {
  const as = new Option('--as <name>', "sign as one of the local stack's people (its keys/NAME.key)")
  return command
    .addOption(person === undefined ? as : as.default(person))
    .option('--key <file>', 'sign with the key in this file (hexadecimal, mode 0600), instead of --as')
}

/** The configuration of the host that a command works on. */
export async function configOf(options: PlaceOptions): Promise<AgentConfig> {
  const { readConfig } = await import('../agent/config.ts')
  return readConfig(resolve(options.config ?? join(stackDirectory(options), 'agent.toml')))
}

/** The RPC endpoint and deployment that a command works with. */
export async function ledgerPlace(options: PlaceOptions): Promise<{ rpc: string; deployment: Deployment }> {
  if (options.rpc !== undefined || options.deployment !== undefined) {
    if (options.rpc === undefined || options.deployment === undefined) {
      throw new UsageError('USAGE', '--rpc and --deployment go together')
    }
    return { rpc: options.rpc, deployment: await readDeployment(resolve(options.deployment)) }
  }
  const { ledger } = await configOf(options)
  return { rpc: ledger.rpc, deployment: await readDeployment(ledger.deployment) }
}

/** A ledger whose chain and code were checked; the caller closes it. @throws LedgerError, UsageError */
export async function connectLedger(options: PlaceOptions): Promise<Ledger> {
  const { rpc, deployment } = await ledgerPlace(options)
  try {
    return await Ledger.connect(rpc, deployment)
  } catch (cause) {
    if (options.rpc !== undefined || !isLedgerError(cause, 'UNAVAILABLE')) throw cause
    const message = `${cause.message}. Is the local stack running? "attestry dev up" starts it, "attestry dev status" tells`
    throw new LedgerError('UNAVAILABLE', message, { cause })
  }
}

/** Runs something with a ledger whose chain and code were checked, and closes it. */
export async function usingLedger<T>(options: PlaceOptions, work: (ledger: Ledger) => Promise<T>): Promise<T> {
  const ledger = await connectLedger(options)
  try {
    return await work(ledger)
  } finally {
    ledger.close()
  }
}

/** The signer that `--key` or `--as` names. */
export async function signerOf(options: PlaceOptions): Promise<DigestSigner> {
  if (options.key !== undefined) return keyFileSigner(resolve(options.key))
  if (options.as === undefined) throw new UsageError('USAGE', 'who signs? Give --as NAME (local stack) or --key FILE')
  const path = join(stackDirectory(options), 'keys', `${options.as}.key`)
  if (!/^[a-z0-9]+$/.test(options.as) || !existsSync(path)) {
    throw new UsageError('USAGE', `the local stack has nobody called ${JSON.stringify(options.as)}: no ${path}`)
  }
  return keyFileSigner(path)
}

/** The local stack's directory. @throws UsageError STACK_MISSING where none is */
export function stackDirectory(options: PlaceOptions): string {
  const dir = resolve(options.dir ?? DIRECTORY)
  if (!existsSync(join(dir, 'agent.toml'))) {
    throw new UsageError(
      'STACK_MISSING',
      `no local stack in ${dir}: start one with "attestry dev up${dir === DIRECTORY ? '' : ` --dir ${dir}`}", or name the host’s own configuration (--config, or ATTESTRY_CONFIG)`,
    )
  }
  return dir
}

/** A file's bytes. @throws UsageError FILE_UNREADABLE */
export function readInput(path: string): Uint8Array {
  try {
    return readFileSync(resolve(path))
  } catch (cause) {
    throw new UsageError('FILE_UNREADABLE', `cannot read ${path}: ${fileFault(cause)}`, { cause })
  }
}
