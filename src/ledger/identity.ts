import { fromHex } from '../core/bytes.ts'
import { keccak256 } from '../record/hash.ts'
import { CONTRACT_NAMES, type Deployment } from './deployment.ts'
import { LedgerError, isLedgerError } from './error.ts'
import type { Rpc } from './rpc.ts'
import { answerBytes, answerQuantity } from './rpc-answer.ts'

/**
 * Checks that a node serves the chain of the deployment file, with the code that it names at the four addresses.
 *
 * @throws LedgerError CHAIN_ID_MISMATCH, CODE_MISMATCH, UNAVAILABLE, RPC_REFUSED, RPC_INVALID
 */
export async function checkIdentity(rpc: Rpc, deployment: Deployment): Promise<void> {
  const chainId = await readChainId(rpc)
  if (chainId !== deployment.chainId) {
    throw new LedgerError('CHAIN_ID_MISMATCH', `expected chain ${deployment.chainId}, found ${chainId}`)
  }
  await Promise.all(
    CONTRACT_NAMES.map(async (name) => {
      const { address, codeHash } = deployment.contracts[name]
      const code = answerBytes(await rpc.request('eth_getCode', [address, 'latest']), 'code')
      const found = keccak256(fromHex(code))
      if (found === codeHash) return
      const what = code === '0x' ? 'no code' : found
      throw new LedgerError(
        'CODE_MISMATCH',
        `${name} at ${address}: expected code with hash ${codeHash}, found ${what}`,
      )
    }),
  )
}

/** The chain that a node says it serves. */
export async function readChainId(rpc: Rpc): Promise<bigint> {
  return answerQuantity(await rpc.request('eth_chainId', []), 'chain id')
}

/**
 * An endpoint that is believed only once it was checked, and checked again after it was gone: what comes back at the same
 * address may be another chain.
 */
export class CheckedRpc implements Rpc {
  readonly #rpc: Rpc
  readonly #deployment: Deployment
  #identity: Promise<void> | undefined

  constructor(rpc: Rpc, deployment: Deployment) {
    this.#rpc = rpc
    this.#deployment = deployment
  }

  /** @throws LedgerError also CHAIN_ID_MISMATCH, CODE_MISMATCH */
  async request(method: string, params: readonly unknown[]): Promise<unknown> {
    await this.check()
    try {
      return await this.#rpc.request(method, params)
    } catch (error) {
      if (isLedgerError(error, 'UNAVAILABLE')) this.#identity = undefined
      throw error
    }
  }

  /** Checks now, unless the node was checked and has answered ever since. */
  async check(): Promise<void> {
    this.#identity ??= checkIdentity(this.#rpc, this.#deployment)
    const identity = this.#identity
    try {
      await identity
    } catch (error) {
      if (this.#identity === identity) this.#identity = undefined
      throw error
    }
  }
}
