import { existsSync, readFileSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { checkDeployment, type DeploymentReport } from '../ledger/check-deployment.ts'
import { carryOut, countOnChain, parsePlan, planDeployment, planText, type DeploymentPlan } from '../ledger/deploy.ts'
import { CONTRACT_NAMES, readDeployment, type Deployment } from '../ledger/deployment.ts'
import { LedgerError, isLedgerError } from '../ledger/error.ts'
import { readChainId } from '../ledger/identity.ts'
import { RpcEndpoint } from '../ledger/rpc.ts'
import { keyFileSigner, type DigestSigner } from '../ledger/signer.ts'
import { stringify } from '../record/json.ts'
import { withLock } from '../vmm/lock.ts'
import { ledgerPlace, withLedger, type PlaceOptions } from './context.ts'
import { readDeployConfig, type DeployConfig } from './deploy-config.ts'
import { UsageError } from './error.ts'
import { exitCodeOfSignal } from './interruption.ts'
import { Output, table } from './output.ts'
import { OutputFile } from './output-file.ts'

const EXAMPLE = `
A configuration:
  key_file = "deployer.key"          # hexadecimal, mode 0600
  output = "deployment.json"
  [ledger]
  rpc = "http://127.0.0.1:8545"
  chain_id = 31337
  transaction_type = 2               # 0 for a GoQuorum and its like
  max_transaction_bytes = 131072     # 65536 for a GoQuorum
  [roles]
  registrars = ["0x…"]
  approvers = ["0x…", "0x…", "0x…"]
  threshold = 2

Example:
  attestry ledger deploy --config deploy.toml`

/** `attestry ledger`: the contracts themselves. */
export function ledgerCommand(): Command {
  const deploy = new Command('deploy')
    .description('deploy the four contracts, or finish what was begun; run it again after any interruption')
    .option('--config <file>', 'what to deploy where, and for whom')
    .option('--json', 'one JSON object on standard output', false)
    .addHelpText('after', EXAMPLE)
    .action(deployFrom)
  const check = withLedger(new Command('check'))
    .description('compare a chain with a deployment file: code, references, roles, and what the chain takes')
    .addHelpText(
      'after',
      '\nExample:\n  attestry ledger check --rpc http://127.0.0.1:8545 --deployment deployment.json',
    )
    .action(checkPlace)
  return new Command('ledger').addCommand(deploy).addCommand(check)
}

async function deployFrom(options: { readonly config?: string; readonly json?: boolean }): Promise<void> {
  const output = new Output(options.json === true)
  // Not left to commander, which would miss it before it sees that it is misspelt.
  if (options.config === undefined) throw new UsageError('USAGE', 'what is to be deployed? Give --config FILE')
  const config = readDeployConfig(resolve(options.config))
  const done = await withLock(config.output, () => interruptibly(() => deploy(config)), { busy: deploymentBusy })
  const report = await output.progress('checking', () => checkedDeployment(config))
  const deployment = await readDeployment(config.output)
  const how = done === 'already' ? 'deployed already, nothing sent' : done === 'resumed' ? 'finished' : 'deployed'
  output.result(
    { ...report, done, deployment: config.output },
    `${how}: ${config.output}\n\n${reportText(report, deployment)}`,
  )
  if (!report.ok) process.exitCode = 1
}

function deploymentBusy(why: string): LedgerError {
  return new LedgerError('DEPLOYMENT_BUSY', `${why}: wait until it ends, then run this again`)
}

/** Ctrl-C ends it wherever it is: what is signed is on disk, and all that is lost is the time. */
async function interruptibly<T>(work: () => Promise<T>): Promise<T> {
  const end = (signal: NodeJS.Signals): void => {
    process.stderr.write('\ninterrupted: run the same command again, nothing will be sent twice\n')
    process.exit(exitCodeOfSignal(signal))
  }
  process.on('SIGINT', end).on('SIGTERM', end)
  try {
    return await work()
  } finally {
    process.off('SIGINT', end).off('SIGTERM', end)
  }
}

/**
 * The plan is on disk before anything is sent, and stays beside the deployment file when it is done: where that file is lost, it is written
 * again, and no second set is made.
 */
async function deploy(config: DeployConfig): Promise<'already' | 'resumed' | 'deployed'> {
  const [planFile, doneFile] = [`${config.output}.plan`, `${config.output}.done`]
  if (existsSync(config.output)) {
    requireSame(config, await readDeployment(config.output))
    if (existsSync(planFile)) await rename(planFile, doneFile)
    return 'already'
  }
  const signer = await keyFileSigner(config.keyFile)
  const rpc = new RpcEndpoint(config.rpc, 10_000)
  try {
    const chainId = await readChainId(rpc)
    if (chainId !== config.chainId) {
      throw new LedgerError('CHAIN_ID_MISMATCH', `expected chain ${config.chainId}, found ${chainId}`)
    }
    const begun = [planFile, doneFile].find(existsSync)
    const plan =
      begun === undefined
        ? await planDeployment(rpc, signer, config.options)
        : await readPlan(rpc, begun, config, signer)
    if (begun === undefined) await keep(planFile, planText(plan))
    const deployment = await carryOut(rpc, plan, (label) => process.stderr.write(`${label}\n`)).catch(
      (cause: unknown) => explain(cause, begun ?? planFile),
    )
    await keep(config.output, `${stringify(deployment, 2)}\n`, PUBLIC)
    if (existsSync(planFile)) await rename(planFile, doneFile)
    return begun === undefined ? 'deployed' : 'resumed'
  } finally {
    rpc.close()
  }
}

function explain(cause: unknown, planFile: string): never {
  if (isLedgerError(cause, 'DEPLOYMENT_FAILED')) throw planError(cause, `${cause.message} (remove ${planFile} first)`)
  if (!isLedgerError(cause, 'NOT_CONFIRMED', 'UNAVAILABLE', 'TRANSACTION_REFUSED')) throw cause
  const hint = 'run the same command again: it goes on, and nothing is sent twice'
  throw planError(cause, `${cause.message}; ${hint}`)
}

/** A deployment file that is there is of these settings. @throws LedgerError DEPLOYMENT_CHANGED */
function requireSame({ chainId, options: { profile, ...roles }, output }: DeployConfig, found: Deployment): void {
  const pairs = [
    ['ledger.chain_id', chainId, found.chainId],
    ['ledger.transaction_type', profile.transactionType, found.profile.transactionType],
    ['ledger.max_transaction_bytes', profile.maxTransactionBytes, found.profile.maxTransactionBytes],
    ['roles.registrars', roles.registrars, found.roles.registrars],
    ['roles.approvers', roles.approvers, found.roles.approvers],
    ['roles.threshold', roles.threshold, found.roles.threshold],
  ] as const
  for (const [name, expected, there] of pairs) {
    if (String(expected) === String(there)) continue
    const why = `${output} is there already, with another ${name}: ${String(there)}, not ${String(expected)}`
    throw new LedgerError('DEPLOYMENT_CHANGED', `${why}. Name another output to deploy a second set`)
  }
}

async function readPlan(
  rpc: RpcEndpoint,
  path: string,
  { chainId, options }: DeployConfig,
  { address }: DigestSigner,
): Promise<DeploymentPlan> {
  const text = readFileSync(path, 'utf8')
  try {
    return parsePlan(text, { chainId, deployer: address, options })
  } catch (cause) {
    if (isLedgerError(cause, 'DEPLOYMENT_INVALID')) throw planError(cause, `${path}: ${cause.message}`)
    if (!isLedgerError(cause, 'DEPLOYMENT_CHANGED')) throw cause
    const there = `${await countOnChain(rpc, text)} of its 4 contracts are on the chain`
    const choice = 'finish it with those settings, or remove the file to begin another set'
    throw planError(cause, `${path}: ${cause.message}; ${there}: ${choice}`)
  }
}

function planError(cause: LedgerError, message: string): LedgerError {
  return new LedgerError(cause.code, message, { cause })
}

/** A deployment file is for everybody to read. */
const PUBLIC = 0o644

async function keep(path: string, text: string, mode?: number): Promise<void> {
  const file = await OutputFile.open(path, mode)
  await file.keep(text)
}

async function checkedDeployment({ rpc, output }: DeployConfig): Promise<DeploymentReport> {
  return checkDeployment(rpc, await readDeployment(output))
}

async function checkPlace(options: PlaceOptions): Promise<void> {
  const output = new Output(options.json === true)
  const { rpc, deployment } = await ledgerPlace(options)
  const report = await output.progress('checking', () => checkDeployment(rpc, deployment))
  output.result({ ...report }, reportText(report, deployment))
  if (!report.ok) process.exitCode = 1
}

function rolesText({ approvers, registrars, threshold, term }: NonNullable<DeploymentReport['roles']>): string[][] {
  return [
    ['approvers', `${threshold} of ${approvers.length} decide, in term ${term}`],
    ...approvers.map((approver) => ['', approver]),
    ['registrars', registrars[0] ?? 'none'],
    ...registrars.slice(1).map((registrar) => ['', registrar]),
  ]
}

function reportText({ ok, checks, roles, chain, capacity }: DeploymentReport, deployment: Deployment): string {
  const failed = checks.filter((one) => !one.ok)
  const { contracts, chainId, block, profile } = deployment
  const rows = [
    ['chain', `${chainId}, from block ${block}`],
    ...CONTRACT_NAMES.map((name) => [name, contracts[name].address]),
    [
      'checked',
      ok ? `${checks.length} of ${checks.length} as they should be` : `${failed.length} of ${checks.length} differ`,
    ],
    ...(roles === undefined ? [['approvers', 'not asked: the file is not of these contracts']] : rolesText(roles)),
    ['block gas', String(chain.blockGasLimit)],
    ['P-256', chain.p256Precompile ? 'precompile at 0x100' : 'no precompile: verified in Solidity, ten times the gas'],
    ['base fee', chain.baseFee ? 'yes' : 'none'],
    [
      'transaction',
      `${profile.maxTransactionBytes} bytes by the file${capacity === undefined ? '' : `, ${capacity.transactionGas} gas`}`,
    ],
    [
      'a batch',
      capacity === undefined
        ? 'not known: the chain refuses transactions of the size in the file'
        : `${capacity.records} records (${capacity.byTransactionSize} by size, ${capacity.byGas} by gas)`,
    ],
  ]
  const differences = failed.map(
    ({ check, expected, found }) => `${check}\n  expected ${expected}\n  found    ${found === '' ? 'nothing' : found}`,
  )
  return [table(rows), ...differences].join('\n')
}
