import { readFile } from 'node:fs/promises'
import { ContractFactory, getCreateAddress, type InterfaceAbi } from 'ethers'
import { fromHex, type Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { keccak256 } from '../record/hash.ts'
import { CONTRACT_NAMES, type ChainProfile, type ContractName, type Deployment } from './deployment.ts'
import { LedgerError } from './error.ts'
import { readChainId } from './identity.ts'
import { RpcEndpoint, type Rpc } from './rpc.ts'
import { answerBytes } from './rpc-answer.ts'
import type { DigestSigner } from './signer.ts'
import { awaitReceipt, sendTransaction } from './submission.ts'
import { nextNonce, prepareTransaction, type Chain, type SignedTransaction } from './transaction.ts'

/** Who may do what, from the start and for good, and what the chain takes. */
export interface DeployOptions {
  readonly registrars: readonly Hex[]
  readonly approvers: readonly Hex[]
  /** How many approvals authorise a VMM. */
  readonly threshold: number
  readonly profile: ChainProfile
}

/** A contract as the compiler gave it (build/contracts/NAME.json). */
interface Artifact {
  readonly abi: InterfaceAbi
  readonly bytecode: Hex
  readonly deployedBytecode: Hex
}

const TIMEOUT_MS = 10_000
const CONFIRMATION_MS = 60_000

/**
 * Deploys the four contracts as they were compiled, and checks that they came to be where and what they should.
 *
 * The policy must know the log and the log the policy, so the log's address is computed from the signer's nonce: the
 * signer must send nothing else meanwhile.
 *
 * @throws LedgerError DEPLOYMENT_FAILED; REVERTED where a constructor refuses its arguments, with nothing sent; those of
 *   `prepareTransaction` and `sendTransaction`
 */
export async function deployContracts(
  rpcUrl: string,
  signer: DigestSigner,
  options: DeployOptions,
): Promise<Deployment> {
  const rpc = new RpcEndpoint(rpcUrl, TIMEOUT_MS)
  try {
    return await deploy(rpc, signer, options)
  } finally {
    rpc.close()
  }
}

async function deploy(rpc: Rpc, signer: DigestSigner, options: DeployOptions): Promise<Deployment> {
  const chain: Chain = { chainId: await readChainId(rpc), profile: options.profile }
  const firstNonce = await nextNonce(rpc, signer.address)
  const address = (index: number): Hex =>
    getCreateAddress({ from: signer.address, nonce: firstNonce + BigInt(index) }).toLowerCase() as Hex
  // The order of CONTRACT_NAMES is the order of deployment.
  const [hosts, vmms, policy, log] = [address(0), address(1), address(2), address(3)]
  const plans: Readonly<Record<ContractName, { readonly address: Hex; readonly args: readonly unknown[] }>> = {
    hostRegistry: { address: hosts, args: [vmms, options.registrars] },
    vmmRegistry: { address: vmms, args: [hosts, options.approvers, options.threshold] },
    accessPolicy: { address: policy, args: [hosts, vmms, log] },
    auditLog: { address: log, args: [hosts, vmms, policy] },
  }

  const signed: SignedTransaction[] = []
  for (const [index, name] of CONTRACT_NAMES.entries()) {
    const data = await creation(await readArtifact(name), plans[name].args)
    signed.push(await prepareTransaction(rpc, chain, signer, { data, nonce: firstNonce + BigInt(index) }))
  }
  for (const { raw } of signed) await sendTransaction(rpc, chain, raw)

  const entries: [ContractName, { address: Hex; codeHash: Hex }][] = []
  let block: bigint | undefined
  for (const [index, name] of CONTRACT_NAMES.entries()) {
    const hash = signed[index]?.hash ?? '0x'
    const receipt = await awaitReceipt(rpc, hash, CONFIRMATION_MS)
    if (!receipt.ok || receipt.contractAddress !== plans[name].address) {
      throw failed(name, `expected at ${plans[name].address}; transaction ${hash} did not put it there`)
    }
    entries.push([name, { address: plans[name].address, codeHash: await codeHashAt(rpc, name, plans[name].address) }])
    block ??= receipt.blockNumber
  }
  const contracts = Object.fromEntries(entries) as Deployment['contracts']
  return { chainId: chain.chainId, block: block ?? 0n, profile: options.profile, contracts }
}

async function readArtifact(name: ContractName): Promise<Artifact> {
  const file = `${name.charAt(0).toUpperCase()}${name.slice(1)}.json`
  try {
    const text = await readFile(new URL(`../../build/contracts/${file}`, import.meta.url), 'utf8')
    return JSON.parse(text) as Artifact
  } catch (cause) {
    throw new LedgerError(
      'DEPLOYMENT_FAILED',
      `${name} is not compiled ("npm run build" does it): ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

async function creation({ abi, bytecode }: Artifact, args: readonly unknown[]): Promise<Hex> {
  return (await new ContractFactory(abi, bytecode).getDeployTransaction(...args)).data as Hex
}

async function codeHashAt(rpc: Rpc, name: ContractName, address: Hex): Promise<Hex> {
  const code = fromHex(answerBytes(await rpc.request('eth_getCode', [address, 'latest']), 'code'))
  const compiled = fromHex((await readArtifact(name)).deployedBytecode)
  // Immutables are zero in what the compiler gives and are written by the constructor: only there may the two differ.
  const isCompiled = code.length === compiled.length && compiled.every((byte, i) => byte === 0 || byte === code[i])
  if (!isCompiled) throw failed(name, `the code at ${address} is not what was compiled`)
  return keccak256(code)
}

function failed(name: ContractName, why: string): LedgerError {
  return new LedgerError('DEPLOYMENT_FAILED', `${name}: ${why}`)
}
