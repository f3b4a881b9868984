import { ContractFactory, formatEther, getCreateAddress } from 'ethers'
import { fromHex, type Hex } from '../core/bytes.ts'
import { stringify } from '../record/json.ts'
import { keccak256 } from '../record/hash.ts'
import { isCompiled, readArtifact, type Artifact } from './artifact.ts'
import { CONTRACT_NAMES, type ChainProfile, type ContractName, type Deployment, type FirstRoles } from './deployment.ts'
import { isLedgerError, LedgerError } from './error.ts'
import { readChainId } from './identity.ts'
import { RpcEndpoint, type Rpc } from './rpc.ts'
import { answerBytes, answerQuantity } from './rpc-answer.ts'
import type { DigestSigner } from './signer.ts'
import { awaitReceipt, sendTransaction } from './submission.ts'
import { nextNonce, parseSigned, prepareTransaction, type Chain } from './transaction.ts'

/** Who may do what from the start, and what the chain takes. */
export interface DeployOptions extends FirstRoles {
  readonly profile: ChainProfile
}

/**
 * A deployment that is signed whole and not sent yet. Whoever keeps it can carry it out at any time, again and again: the bytes are
 * the same, so there is never a second set.
 */
export interface DeploymentPlan {
  readonly chainId: bigint
  readonly deployer: Hex
  readonly options: DeployOptions
  readonly contracts: Readonly<Record<ContractName, { readonly address: Hex; readonly raw: Hex }>>
}

const TIMEOUT_MS = 10_000
const CONFIRMATION_MS = 60_000

/**
 * Deploys the four contracts as they were compiled, and checks that they came to be where and what they should. For callers who need not
 * survive a crash in between.
 *
 * @throws LedgerError as `planDeployment` and `carryOut`
 */
export async function deployContracts(
  rpcUrl: string,
  signer: DigestSigner,
  options: DeployOptions,
): Promise<Deployment> {
  const rpc = new RpcEndpoint(rpcUrl, TIMEOUT_MS)
  try {
    return await carryOut(rpc, await planDeployment(rpc, signer, options))
  } finally {
    rpc.close()
  }
}

/**
 * Signs the creation of the four contracts. Some must know others that come later, so addresses are computed from the signer's
 * nonce: it must send nothing else until the plan is carried out.
 *
 * @throws LedgerError REVERTED where a constructor refuses its arguments; FUNDS_MISSING; those of `prepareTransaction`
 */
export async function planDeployment(rpc: Rpc, signer: DigestSigner, options: DeployOptions): Promise<DeploymentPlan> {
  const chain: Chain = { chainId: await readChainId(rpc), profile: options.profile }
  const firstNonce = await nextNonce(rpc, signer.address)
  const address = (index: number): Hex =>
    getCreateAddress({ from: signer.address, nonce: firstNonce + BigInt(index) }).toLowerCase() as Hex
  // The order of CONTRACT_NAMES is the order of deployment.
  const [hosts, vmms, policy, log] = [address(0), address(1), address(2), address(3)]
  const args: Readonly<Record<ContractName, readonly unknown[]>> = {
    hostRegistry: [vmms, options.registrars],
    vmmRegistry: [hosts, options.approvers, options.threshold],
    accessPolicy: [hosts, vmms, log],
    auditLog: [hosts, vmms, policy],
  }
  const entries: [ContractName, { address: Hex; raw: Hex }][] = []
  for (const [index, name] of CONTRACT_NAMES.entries()) {
    const order = { data: await creation(await readArtifact(name), args[name]), nonce: firstNonce + BigInt(index) }
    const { raw } = await prepareTransaction(rpc, chain, signer, order)
    entries.push([name, { address: address(index), raw }])
  }
  await requireFunds(
    rpc,
    signer.address,
    entries.map(([, { raw }]) => raw),
  )
  const contracts = Object.fromEntries(entries) as DeploymentPlan['contracts']
  return { chainId: chain.chainId, deployer: signer.address, options, contracts }
}

/**
 * Sends what of a plan the chain does not have yet, and checks what came to be.
 *
 * @throws LedgerError DEPLOYMENT_FAILED, also where the deployer used a nonce of the plan's for something else; CHAIN_ID_MISMATCH;
 *   UNAVAILABLE, NOT_CONFIRMED: carry it out again; those of `sendTransaction`
 */
export async function carryOut(
  rpc: Rpc,
  { chainId, options, contracts: planned }: DeploymentPlan,
  onProgress: (label: string) => void = () => undefined,
): Promise<Deployment> {
  const { profile, registrars, approvers, threshold } = options
  const found = await readChainId(rpc)
  if (found !== chainId) throw new LedgerError('CHAIN_ID_MISMATCH', `expected chain ${chainId}, found ${found}`)
  for (const name of CONTRACT_NAMES) {
    onProgress(`${name}: sending`)
    await send(rpc, { chainId, profile }, name, planned[name].raw)
  }
  const entries: [ContractName, { address: Hex; codeHash: Hex }][] = []
  let block: bigint | undefined
  for (const name of CONTRACT_NAMES) {
    onProgress(`${name}: waiting for its block`)
    const { address, raw } = planned[name]
    const hash = parseSigned(raw).hash as Hex
    const receipt = await awaitReceipt(rpc, hash, CONFIRMATION_MS)
    if (!receipt.ok || receipt.contractAddress !== address) {
      throw failed(name, `expected at ${address}; transaction ${hash} did not put it there`)
    }
    entries.push([name, { address, codeHash: await codeHashAt(rpc, name, address) }])
    block ??= receipt.blockNumber
  }
  const contracts = Object.fromEntries(entries) as Deployment['contracts']
  return { chainId, block: block ?? 0n, profile, roles: { registrars, approvers, threshold }, contracts }
}

async function send(rpc: Rpc, chain: Chain, name: ContractName, raw: Hex): Promise<void> {
  try {
    await sendTransaction(rpc, chain, raw)
  } catch (cause) {
    if (!isLedgerError(cause, 'TRANSACTION_REFUSED')) throw cause
    const { nonce, from } = parseSigned(raw)
    const used = await rpc.request('eth_getTransactionCount', [from, 'latest'])
    if (typeof used !== 'string' || BigInt(used) <= BigInt(nonce)) throw cause
    const why = `${String(from)} has sent something else with the nonce ${nonce} meanwhile, so this set can never be whole: begin another`
    throw new LedgerError('DEPLOYMENT_FAILED', `${name}: ${why}`, { cause })
  }
}

/** A plan as text. It holds no secret. */
export function planText(plan: DeploymentPlan): string {
  return `${stringify(plan, 2)}\n`
}

/**
 * Reads a plan that `planText` wrote, and that is of these settings and by this account.
 *
 * @throws LedgerError DEPLOYMENT_INVALID, DEPLOYMENT_CHANGED with what differs
 */
export function parsePlan(text: string, expected: Omit<DeploymentPlan, 'contracts'>): DeploymentPlan {
  let begun: DeploymentPlan
  try {
    begun = JSON.parse(text) as DeploymentPlan
    for (const name of CONTRACT_NAMES) parseSigned(begun.contracts[name].raw)
  } catch (cause) {
    throw new LedgerError('DEPLOYMENT_INVALID', 'damaged: not the plan of a deployment', { cause })
  }
  const plan = { ...expected, contracts: begun.contracts }
  if (planText(plan) === text) return plan
  throw new LedgerError('DEPLOYMENT_CHANGED', `a deployment was begun ${differenceOf(begun, expected)}`)
}

/** How many contracts of a plan's are on the chain. @param text of a plan that `parsePlan` refuses as DEPLOYMENT_CHANGED */
export async function countOnChain(rpc: Rpc, text: string): Promise<number> {
  const { contracts } = JSON.parse(text) as DeploymentPlan
  const codes = CONTRACT_NAMES.map(async (name) => {
    const { from, nonce } = parseSigned(contracts[name].raw)
    const address = getCreateAddress({ from: String(from), nonce }).toLowerCase()
    return answerBytes(await rpc.request('eth_getCode', [address, 'latest']), 'code')
  })
  return (await Promise.all(codes)).filter((code) => code !== '0x').length
}

function differenceOf(begun: Partial<DeploymentPlan>, wanted: Omit<DeploymentPlan, 'contracts'>): string {
  const parts = (plan: Partial<DeploymentPlan>): readonly (readonly [string, unknown])[] => [
    ['chain_id', plan.chainId],
    ['the account', plan.deployer],
    ['transaction_type', plan.options?.profile.transactionType],
    ['max_transaction_bytes', plan.options?.profile.maxTransactionBytes],
    ['registrars', plan.options?.registrars],
    ['approvers', plan.options?.approvers],
    ['threshold', plan.options?.threshold],
  ]
  const now = new Map(parts(wanted))
  const differing = parts(begun).filter(([name, value]) => String(value) !== String(now.get(name)))
  if (differing.length === 0) return 'with other settings'
  return differing.map(([name, value]) => `with ${name} ${String(value)}, not ${String(now.get(name))}`).join('; ')
}

/** @throws LedgerError FUNDS_MISSING where an account has less than some transactions may cost */
async function requireFunds(rpc: Rpc, address: Hex, raws: readonly Hex[]): Promise<void> {
  const balance = answerQuantity(await rpc.request('eth_getBalance', [address, 'latest']), 'balance', 2n ** 256n - 1n)
  const need = raws
    .map((raw) => parseSigned(raw))
    .reduce((sum, { gasLimit, maxFeePerGas, gasPrice }) => sum + gasLimit * (maxFeePerGas ?? gasPrice ?? 0n), 0n)
  if (balance >= need) return
  const why = `the four contracts may cost up to ${need} wei (${formatEther(need)} of the chain’s coin)`
  throw new LedgerError('FUNDS_MISSING', `${address} has ${balance} wei, and ${why}: nothing was sent`)
}

async function creation({ abi, bytecode }: Artifact, args: readonly unknown[]): Promise<Hex> {
  return (await new ContractFactory(abi, bytecode).getDeployTransaction(...args)).data as Hex
}

async function codeHashAt(rpc: Rpc, name: ContractName, address: Hex): Promise<Hex> {
  const code = fromHex(answerBytes(await rpc.request('eth_getCode', [address, 'latest']), 'code'))
  const { deployedBytecode, immutables } = await readArtifact(name)
  if (!isCompiled(code, fromHex(deployedBytecode), immutables)) {
    throw failed(name, `the code at ${address} is not what was compiled`)
  }
  return keccak256(code)
}

function failed(name: ContractName, why: string): LedgerError {
  return new LedgerError('DEPLOYMENT_FAILED', `${name}: ${why}`)
}
