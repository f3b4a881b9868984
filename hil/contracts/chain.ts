import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SigningKey, computeAddress, id } from 'ethers'
import { fromHex, toHex, type Hex } from '../../src/core/bytes.ts'
import { INTERFACES } from '../../src/ledger/abi.ts'
import { deployContracts } from '../../src/ledger/deploy.ts'
import type { ContractName, Deployment } from '../../src/ledger/deployment.ts'
import type { LedgerEvent } from '../../src/ledger/event.ts'
import { Ledger } from '../../src/ledger/ledger.ts'
import { RpcEndpoint } from '../../src/ledger/rpc.ts'
import { answerBytes } from '../../src/ledger/rpc-answer.ts'
import type { DigestSigner } from '../../src/ledger/signer.ts'
import { awaitReceipt, sendTransaction } from '../../src/ledger/submission.ts'
import { prepareTransaction } from '../../src/ledger/transaction.ts'
import { setBalance, startAnvil, type Hardfork } from '../stack/anvil.ts'
import { cleanUp } from '../stack/clean-up.ts'
import { stopProcess } from '../stack/process.ts'
import { readHarness } from './harness.ts'

/** A transaction that is in a block. */
export interface Mined {
  readonly gasUsed: number
  /** What of it the chain takes before it runs anything: 21,000 and the calldata at 16 and 4 a byte. */
  readonly intrinsic: number
  readonly blockNumber: bigint
  readonly logs: readonly LedgerEvent[]
}

/** What a call costs without the transaction around it. */
export interface Metered {
  readonly gas: number
  /** 21,000 and the calldata at 16 and 4 a byte: what a transaction would add. */
  readonly intrinsic: number
  readonly answer: Hex
}

/** A chain on which the same calls always cost the same, with the contracts on it. */
export interface ContractChain {
  readonly hardfork: Hardfork
  readonly rpc: string
  readonly ledger: Ledger
  readonly deployment: Deployment
  /** Gas of each contract's creation. */
  readonly creations: Readonly<Record<ContractName, number>>
  /** Calls a contract's function in a transaction. @throws LedgerError as `Ledger.submit` */
  send(who: DigestSigner, to: ContractName, name: string, args: readonly unknown[]): Promise<Mined>
  /** Sends any call; to nobody it creates a contract. */
  sendRaw(who: DigestSigner, to: Hex | undefined, data: Hex): Promise<Mined & { readonly created: Hex | undefined }>
  /** What a call would cost beside its transaction, cold; made by anybody, without a signature. */
  meter(from: Hex, to: Hex, data: Hex): Promise<Metered>
  /** A key of that name, always the same; with funds where gas costs anything. */
  person(name: string): Promise<DigestSigner & { readonly key: SigningKey }>
  /** The block that quotes are bound to. */
  anchor(): Promise<{ readonly number: bigint; readonly hash: Hex }>
  /** Makes empty blocks. */
  pass(blocks: number): Promise<void>
  stop(): Promise<void>
}

const STARTS_AT = 1_800_000_000
const TIMEOUT_MS = 30_000

/**
 * What a public chain of the newest rules takes, and what a GoQuorum network takes: type 0, price 0, 64 KiB a transaction.
 */
const PROFILES = {
  osaka: { transactionType: 2, maxTransactionBytes: 131_072 },
  berlin: { transactionType: 0, maxTransactionBytes: 65_536 },
} as const

/** Starts a chain and deploys the contracts. @param threshold of the three approvers `approver1` to `approver3` */
export async function startContractChain(hardfork: Hardfork, threshold = 2): Promise<ContractChain> {
  const making = mkdtemp(join(tmpdir(), 'attestry-contracts-'))
  const starting = making.then((dir) => startAnvil(dir, { hardfork, startsAt: STARTS_AT }))
  const end = cleanUp(async () => {
    await starting.then(async ({ process }) => stopProcess(process)).catch(() => undefined)
    await rm(await making, { recursive: true })
  })
  try {
    return await chainAt((await starting).rpc, hardfork, threshold, end)
  } catch (error) {
    await end()
    throw error
  }
}

async function chainAt(
  rpc: string,
  hardfork: Hardfork,
  threshold: number,
  end: () => Promise<void>,
): Promise<ContractChain> {
  const endpoint = new RpcEndpoint(rpc, TIMEOUT_MS)
  const profile = PROFILES[hardfork]

  const person = async (name: string): Promise<DigestSigner & { readonly key: SigningKey }> => {
    const key = new SigningKey(id(`attestry/person/${name}`))
    const address = computeAddress(key.publicKey).toLowerCase() as Hex
    if (hardfork !== 'berlin') await setBalance(rpc, address)
    return { key, address, signDigest: (digest) => Promise.resolve(key.sign(toHex(digest)).serialized as Hex) }
  }
  const people = async (...names: readonly string[]): Promise<Hex[]> =>
    Promise.all(names.map(async (name) => (await person(name)).address))

  const deployment = await deployContracts(rpc, await person('deployer'), {
    registrars: await people('registrar'),
    approvers: await people('approver1', 'approver2', 'approver3'),
    threshold,
    profile,
  })
  const ledger = await Ledger.connect(rpc, deployment)
  const chain = { chainId: deployment.chainId, profile }

  const sendRaw: ContractChain['sendRaw'] = async (who, to, data) => {
    const order = to === undefined ? { data } : { to, data }
    const { raw, hash } = await prepareTransaction(endpoint, chain, who, order)
    await sendTransaction(endpoint, chain, raw)
    const { ok, blockNumber, contractAddress } = await awaitReceipt(endpoint, hash, TIMEOUT_MS)
    if (!ok) throw new Error(`transaction ${hash} failed`)
    const receipt = await ledger.receipt(hash)
    const gasUsed = await gasOf(endpoint, hash)
    return { gasUsed, intrinsic: intrinsicGas(data), blockNumber, logs: receipt?.logs ?? [], created: contractAddress }
  }

  const meter: ContractChain['meter'] = async (from, to, data) => {
    const { abi, deployedBytecode } = readHarness('Meter')
    const call = { to: from, data: abi.encodeFunctionData('measure', [to, data]), gas: '0x5f5e100' }
    // The meter stands where the caller does, so that the contract finds it to be the caller.
    const override = { [from]: { code: deployedBytecode } }
    const returned = await endpoint.request('eth_call', [call, 'latest', override])
    const [gas, answer] = abi.decodeFunctionResult('measure', answerBytes(returned, 'measure'))
    return { gas: Number(gas), intrinsic: intrinsicGas(data), answer: answer as Hex }
  }

  return {
    ...{ hardfork, rpc, ledger, meter, deployment, person, sendRaw },
    creations: await creationsOf(endpoint, deployment),
    send: async (who, to, name, args) =>
      sendRaw(who, deployment.contracts[to].address, INTERFACES[to].encodeFunctionData(name, args) as Hex),
    // One before the newest: where a call is only tried, the newest one's hash is not known yet.
    anchor: async () => ledger.blockAt((await ledger.latestBlock()).number - 1n),
    pass: async (blocks) => {
      await endpoint.request('anvil_mine', [`0x${blocks.toString(16)}`])
    },
    stop: async () => {
      ledger.close()
      endpoint.close()
      await end()
    },
  }
}

function intrinsicGas(data: Hex): number {
  return fromHex(data).reduce((gas, byte) => gas + (byte === 0 ? 4 : 16), 21_000)
}

async function gasOf(rpc: RpcEndpoint, hash: Hex): Promise<number> {
  const receipt = (await rpc.request('eth_getTransactionReceipt', [hash])) as { readonly gasUsed: Hex }
  return Number(receipt.gasUsed)
}

/** The contracts were the chain's first transactions, one a block. */
async function creationsOf(rpc: RpcEndpoint, deployment: Deployment): Promise<ContractChain['creations']> {
  const entries: [string, number][] = []
  for (const [i, name] of (Object.keys(deployment.contracts) as ContractName[]).entries()) {
    const block = (await rpc.request('eth_getBlockByNumber', [`0x${(i + 1).toString(16)}`, false])) as {
      readonly transactions: readonly Hex[]
    }
    entries.push([name, await gasOf(rpc, block.transactions[0] ?? '0x')])
  }
  return Object.fromEntries(entries) as ContractChain['creations']
}
