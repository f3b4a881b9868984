import { Transaction, Wallet } from 'ethers'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { keccak256 } from '../record/hash.ts'
import { isCompiled, readArtifact, type Artifact } from './artifact.ts'
import { CONTRACT_NAMES, type ContractName, type Deployment, type FirstRoles } from './deployment.ts'
import type { LedgerEvent } from './event.ts'
import { isLedgerError } from './error.ts'
import { readChainId } from './identity.ts'
import { Ledger } from './ledger.ts'
import { RpcEndpoint, type Rpc } from './rpc.ts'
import { answerBytes, answerObject, answerQuantity } from './rpc-answer.ts'
import { firstBlock } from './check-block.ts'
import { batchCapacity, type BatchCapacity } from './batch-capacity.ts'

/** One thing that a chain was compared in. */
export interface DeploymentCheck {
  readonly check: string
  readonly ok: boolean
  readonly expected: string
  readonly found: string
}

/** What a chain is, beside a deployment file. */
export interface DeploymentReport {
  readonly ok: boolean
  readonly checks: readonly DeploymentCheck[]
  /** Who they are today; undefined where the contracts are not those of the file, and so are not asked. */
  readonly roles?: {
    readonly registrars: readonly Hex[]
    readonly approvers: readonly Hex[]
    readonly threshold: number
    readonly term: number
  }
  readonly chain: {
    readonly blockGasLimit: bigint
    /** Whether P-256 signatures are verified by a precompile at 0x100 (EIP-7951). */
    readonly p256Precompile: boolean
    /** Whether blocks have a base fee, so that transactions of type 2 are taken (EIP-1559). */
    readonly baseFee: boolean
  }
  /** Undefined where the chain does not take what the file says: how many fit into what it does take is not known. */
  readonly capacity?: BatchCapacity
}

/**
 * Compares a chain with a deployment file: chain id, code, what the constructors wrote into it, and what the chain takes. Nothing that is
 * sent can ever get into a block.
 *
 * @throws LedgerError UNAVAILABLE, RPC_REFUSED, RPC_INVALID where the node does not answer what it must
 */
export async function checkDeployment(
  rpcUrl: string,
  deployment: Deployment,
  timeoutMs = 10_000,
): Promise<DeploymentReport> {
  const rpc = new RpcEndpoint(rpcUrl, timeoutMs)
  try {
    const chainId = await readChainId(rpc)
    const contracts = [check('chain id', String(deployment.chainId), String(chainId))]
    for (const name of CONTRACT_NAMES) contracts.push(...(await checkCode(rpc, deployment, name)))
    // Who was named when is only told by events from the right block on.
    if (contracts.every(({ ok }) => ok)) {
      contracts.push(check('block', String(deployment.block), await firstBlock(rpc, deployment)))
    }
    const chain = await readChain(rpc)
    const profile = await checkProfile(rpc, deployment, chain.baseFee)
    const checks = [...contracts, ...profile]
    // Whose roles they are depends on the contracts, not on what else the chain takes.
    const roles = contracts.every(({ ok }) => ok) ? { roles: await readRoles(rpcUrl, deployment, checks) } : {}
    const capacity = profile.every(({ ok }) => ok) ? { capacity: batchCapacity(deployment.profile, chain) } : {}
    return { ok: checks.every(({ ok }) => ok), checks, ...roles, chain, ...capacity }
  } finally {
    rpc.close()
  }
}

/** The contracts that each of them must have been told of. */
const REFERENCES: Readonly<Record<ContractName, readonly ContractName[]>> = {
  hostRegistry: ['vmmRegistry'],
  vmmRegistry: ['hostRegistry'],
  accessPolicy: ['hostRegistry', 'vmmRegistry', 'auditLog'],
  auditLog: ['hostRegistry', 'vmmRegistry', 'accessPolicy'],
}

async function checkCode(rpc: Rpc, deployment: Deployment, name: ContractName): Promise<readonly DeploymentCheck[]> {
  const { address, codeHash } = deployment.contracts[name]
  const code = fromHex(answerBytes(await rpc.request('eth_getCode', [address, 'latest']), 'code'))
  const found = code.length === 0 ? 'no code' : keccak256(code)
  const artifact = await readArtifact(name)
  const compiled = isCompiled(code, fromHex(artifact.deployedBytecode), artifact.immutables)
  const known = new Map(CONTRACT_NAMES.map((other) => [deployment.contracts[other].address, other]))
  const references = compiled ? referencesOf(code, artifact, address).map((one) => known.get(one) ?? one) : []
  return [
    check(`${name}: code`, codeHash, found),
    check(`${name}: compiled`, 'as here', compiled ? 'as here' : 'otherwise'),
    check(`${name}: references`, REFERENCES[name].toSorted().join(', '), references.toSorted().join(', ')),
  ]
}

/** The other contracts' addresses among what the constructor wrote, each once. */
function referencesOf(code: Uint8Array, { immutables }: Artifact, own: Hex): readonly Hex[] {
  const words = immutables.map(([start, length]) => toHex(code.subarray(start, start + length)))
  // An address is a word with 12 zero bytes in front; the chain id, which is one too, is far smaller.
  const addresses = words.filter((word) => /^0x0{24}(?!0{16})/.test(word)).map((word): Hex => `0x${word.slice(26)}`)
  return [...new Set(addresses)].filter((address) => address !== own)
}

/** A signature of P-256 and SHA-256 that holds: digest, r, s, x, y. */
const P256_KNOWN_ANSWER =
  '0x4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d' +
  'a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac' +
  '36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60' +
  '4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3' +
  '7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e'

async function readChain(rpc: Rpc): Promise<DeploymentReport['chain']> {
  const block = answerObject(await rpc.request('eth_getBlockByNumber', ['latest', false]), 'block')
  const call = { to: '0x0000000000000000000000000000000000000100', data: P256_KNOWN_ANSWER }
  const answer = await rpc.request('eth_call', [call, 'latest'])
  return {
    blockGasLimit: answerQuantity(block['gasLimit'], 'gasLimit', 2n ** 64n),
    p256Precompile: answer === `0x${'1'.padStart(64, '0')}`,
    baseFee: block['baseFeePerGas'] !== undefined,
  }
}

async function checkProfile(
  rpc: Rpc,
  { profile, chainId }: Deployment,
  baseFee: boolean,
): Promise<readonly DeploymentCheck[]> {
  const { transactionType, maxTransactionBytes } = profile
  const takes = transactionType === 0 || baseFee ? `type ${transactionType}` : 'no base fee, so type 0 alone'
  const refusal = await refusalOf(rpc, chainId, transactionType, maxTransactionBytes)
  const isSize = /oversized|too large|size limit|exceeds.*(?:size|bytes)/i.test(refusal)
  return [
    check('transactions', `type ${transactionType}`, takes),
    check('transaction size', `${maxTransactionBytes} bytes`, isSize ? refusal : `${maxTransactionBytes} bytes`),
  ]
}

/**
 * What a node says to a transaction of the largest size: it is refused in any case, as its gas does not pay for its bytes, and by an
 * account that has nothing.
 */
async function refusalOf(rpc: Rpc, chainId: bigint, type: 0 | 2, bytes: number): Promise<string> {
  const fees = type === 0 ? { gasPrice: 0n } : { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 0n }
  const transaction = Transaction.from({
    type,
    chainId,
    to: `0x${'00'.repeat(20)}`,
    gasLimit: 21_000n,
    nonce: 0,
    ...fees,
  })
  const wallet = Wallet.createRandom()
  const overhead = 150
  transaction.data = `0x${'ff'.repeat(bytes - overhead)}`
  transaction.signature = wallet.signingKey.sign(transaction.unsignedHash)
  try {
    await rpc.request('eth_sendRawTransaction', [transaction.serialized])
    return 'taken'
  } catch (error) {
    if (isLedgerError(error, 'RPC_REFUSED')) return messageOf(error)
    throw error
  }
}

async function readRoles(
  rpcUrl: string,
  deployment: Deployment,
  checks: DeploymentCheck[],
): Promise<NonNullable<DeploymentReport['roles']>> {
  const ledger = await Ledger.connect(rpcUrl, deployment)
  try {
    const { number } = await ledger.latestBlock()
    const { approvers, threshold, term } = await ledger.approvers()
    const events = await ledger.logs('hostRegistry', deployment.block, number)
    const named = events.flatMap((event) => (event.name === 'RegistrarChanged' ? [event.args.registrar] : []))
    const registrars: Hex[] = []
    for (const one of new Set(named)) if (await ledger.isRegistrar(one)) registrars.push(one)
    const first = await firstRoles(ledger, events)
    const { roles } = deployment
    checks.push(
      check('first registrars', roles.registrars.join(', '), first.registrars.join(', ')),
      check('first approvers', roles.approvers.join(', '), first.approvers.join(', ')),
      check('first threshold', String(roles.threshold), String(first.threshold)),
    )
    return { registrars, approvers, threshold, term }
  } finally {
    ledger.close()
  }
}

/** Whom the constructors named, by the events of the transactions that created the contracts. */
async function firstRoles(ledger: Ledger, events: readonly LedgerEvent[]): Promise<FirstRoles> {
  const { block } = ledger.deployment
  const creation = events[0]?.transactionHash
  const registrars = events.flatMap((event) =>
    event.name === 'RegistrarChanged' && event.transactionHash === creation ? [event.args.registrar] : [],
  )
  const { number } = await ledger.latestBlock()
  const [term] = (await ledger.logs('vmmRegistry', block, number)).flatMap((event) =>
    event.name === 'ApproversChanged' ? [event.args] : [],
  )
  return { registrars, approvers: term?.approvers ?? [], threshold: term?.threshold ?? 0 }
}

function check(name: string, expected: string, found: string): DeploymentCheck {
  return { check: name, ok: expected === found, expected, found }
}
