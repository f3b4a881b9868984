import type { FunctionFragment } from 'ethers'
import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import type { Domain } from '../record/eip712.ts'
import type { Grant } from '../record/grant.ts'
import { INTERFACES } from './abi.ts'
import { decodeValues } from './abi-value.ts'
import type { ContractName, Deployment } from './deployment.ts'
import { LedgerError } from './error.ts'
import type { LedgerEvent } from './event.ts'
import { decodeEvent, readEvents } from './events.ts'
import { CheckedRpc } from './identity.ts'
import { orReverted } from './revert.ts'
import { RpcEndpoint } from './rpc.ts'
import { answerBlock, answerBytes, invalid, type Block } from './rpc-answer.ts'
import { readTransaction, type SentTransaction } from './sent-transaction.ts'
import type { TransactionSigner } from './signer.ts'
import {
  ASSURANCES,
  HOST_STATUSES,
  VMM_STATUSES,
  type AccessRequest,
  type Approvers,
  type GrantState,
  type Host,
  type HostClock,
  type Vmm,
} from './state.ts'
import { awaitReceipt, readReceipt, refuseFailed, sendTransaction } from './submission.ts'
import { nextNonce, prepareTransaction, type SignedTransaction } from './transaction.ts'

/** How a transaction ended, with what the four contracts logged in it. */
export interface TransactionReceipt {
  readonly blockNumber: bigint
  readonly ok: boolean
  readonly logs: readonly LedgerEvent[]
}

/** What a transaction did. */
export interface Submitted {
  readonly hash: Hex
  readonly blockNumber: bigint
  readonly logs: readonly LedgerEvent[]
}

/** A call of one of the four contracts. */
export interface ContractCall {
  readonly to: ContractName
  readonly data: Hex
  readonly nonce?: bigint
}

/**
 * The four contracts through one RPC node, which is believed only about what can be checked here: the chain's id, the
 * contracts' code, the hash of a transaction. Every answer is parsed strictly.
 *
 * Each call is one exchange with a deadline. It ends with UNAVAILABLE where the node does not answer, RPC_REFUSED or
 * RPC_INVALID where it answers something useless; once the node is back the same object works again, after it checked that
 * it is still the same chain with the same code (CHAIN_ID_MISMATCH, CODE_MISMATCH).
 */
export class Ledger {
  readonly deployment: Deployment
  readonly #endpoint: RpcEndpoint
  readonly #rpc: CheckedRpc
  #highest = 0n

  private constructor(endpoint: RpcEndpoint, deployment: Deployment) {
    this.deployment = deployment
    this.#endpoint = endpoint
    this.#rpc = new CheckedRpc(endpoint, deployment)
  }

  /**
   * Connects, and checks the chain's id and the code of all four contracts.
   *
   * @param timeoutMs for each answer
   * @throws LedgerError ENDPOINT_INVALID, UNAVAILABLE, CHAIN_ID_MISMATCH, CODE_MISMATCH, RPC_REFUSED, RPC_INVALID
   */
  static async connect(rpcUrl: string, deployment: Deployment, timeoutMs = 10_000): Promise<Ledger> {
    const ledger = new Ledger(new RpcEndpoint(rpcUrl, timeoutMs), deployment)
    await ledger.#rpc.check()
    return ledger
  }

  /** The EIP-712 domain of one of the contracts. */
  domain(contract: ContractName): Domain {
    return { chainId: this.deployment.chainId, verifyingContract: this.deployment.contracts[contract].address }
  }

  /**
   * The newest block.
   *
   * @throws LedgerError also UNAVAILABLE while the node is behind what it said before: a node that was restarted serves an
   *   old head for seconds
   */
  async latestBlock(): Promise<Block> {
    const block = await this.#block('latest')
    if (block.number < this.#highest) {
      throw new LedgerError('UNAVAILABLE', `the node is at block ${block.number} and was at ${this.#highest} before`)
    }
    this.#highest = block.number
    return block
  }

  /** The block of a number. @throws LedgerError also BLOCK_UNKNOWN */
  async blockAt(number: bigint): Promise<Block> {
    const block = await this.#block(quantity(number))
    if (block.number !== number) throw invalid('block.number', String(number))
    return block
  }

  /** Whether an access is allowed, as of the state of block `asOf`: 0, or a reason code (docs/formats.md). */
  async checkAccess(request: AccessRequest): Promise<number> {
    return (await this.#view<{ reason: number }>('accessPolicy', 'checkAccess', [request], request.asOf)).reason
  }

  /** A host; status None where there is none. */
  async host(hostId: Hex, block?: bigint): Promise<Host> {
    const view = await this.#view<{ 0: HostOnLedger }>('hostRegistry', 'host', [hostId], block)
    const { status, assurance, ...rest } = view[0]
    return { status: nameOf(HOST_STATUSES, status), assurance: nameOf(ASSURANCES, assurance), ...rest }
  }

  /** The host that an address speaks for, zero for none. */
  async hostOf(ledgerAddress: Hex, block?: bigint): Promise<Hex> {
    return (await this.#view<{ hostId: Hex }>('hostRegistry', 'hostOf', [ledgerAddress], block)).hostId
  }

  /** A VMM; status None where there is none. */
  async vmm(vmmHash: Hex, block?: bigint): Promise<Vmm> {
    const view = await this.#view<{ 0: VmmOnLedger }>('vmmRegistry', 'vmm', [vmmHash], block)
    const { status, ...rest } = view[0]
    return { status: nameOf(VMM_STATUSES, status), ...rest }
  }

  /** Whether an account may register hosts. */
  async isRegistrar(account: Hex, block?: bigint): Promise<boolean> {
    return (await this.#view<{ 0: boolean }>('hostRegistry', 'isRegistrar', [account], block))[0]
  }

  /** The number that the next decision about a registrar must name. */
  async registrarNonce(account: Hex, block?: bigint): Promise<bigint> {
    return (await this.#view<{ 0: bigint }>('hostRegistry', 'registrarNonce', [account], block))[0]
  }

  /** Who decides by k-of-n. */
  async approvers(block?: bigint): Promise<Approvers> {
    const one = async <T>(name: string): Promise<T> => (await this.#view<{ 0: T }>('vmmRegistry', name, [], block))[0]
    const term = await one<number>('term')
    return { term, approvers: await one<readonly Hex[]>('approvers'), threshold: await one<number>('threshold') }
  }

  /** How many approvals of the present term a decision has. */
  async approvalsOf(contract: 'hostRegistry' | 'vmmRegistry', decision: Hex, block?: bigint): Promise<number> {
    return (await this.#view<{ 0: number }>(contract, 'approvalsOf', [decision], block))[0]
  }

  /** Whether a VMM is authorised now, or was at the end of a block. */
  async isAuthorised(vmmHash: Hex, block?: bigint): Promise<boolean> {
    return (await this.#view<{ 0: boolean }>('vmmRegistry', 'isAuthorised', [vmmHash], block))[0]
  }

  /** A grant; `grantedAt` 0 where there is none. */
  async grantOf(grantId: Hex, block?: bigint): Promise<GrantState> {
    const view = await this.#view<GrantOnLedger>('accessPolicy', 'grantOf', [grantId], block)
    const { g: grant, ...rest } = view
    return { grant, ...rest }
  }

  /** The owner of data; the zero address for none. */
  async ownerOf(dataId: Hex, block?: bigint): Promise<Hex> {
    return (await this.#view<{ 0: Hex }>('accessPolicy', 'ownerOf', [dataId], block))[0]
  }

  /** Who may accept the ownership of data; the zero address for nobody. */
  async candidateOf(dataId: Hex, block?: bigint): Promise<Hex> {
    return (await this.#view<{ 0: Hex }>('accessPolicy', 'candidateOf', [dataId], block))[0]
  }

  /** Whether a grantor cancelled a signature of a grant. */
  async isCancelled(grantId: Hex, grantor: Hex, block?: bigint): Promise<boolean> {
    return (await this.#view<{ 0: boolean }>('accessPolicy', 'isCancelled', [grantId, grantor], block))[0]
  }

  /** The sequence number that a host's next record must have. */
  async nextSeq(hostId: Hex, block?: bigint): Promise<bigint> {
    return (await this.#view<{ 0: bigint }>('auditLog', 'nextSeq', [hostId], block))[0]
  }

  /** A host's hash chain, zero before its first batch. */
  async head(hostId: Hex, block?: bigint): Promise<Hex> {
    return (await this.#view<{ 0: Hex }>('auditLog', 'head', [hostId], block))[0]
  }

  /** How many batches a host committed. */
  async batches(hostId: Hex, block?: bigint): Promise<number> {
    return (await this.#view<{ 0: number }>('auditLog', 'batches', [hostId], block))[0]
  }

  /** A peak of the range of a host's batches (docs/formats.md, "Batches of a host"), zero where there never was one. */
  async peak(hostId: Hex, height: number, block?: bigint): Promise<Hex> {
    return (await this.#view<{ 0: Hex }>('auditLog', 'peak', [hostId, height], block))[0]
  }

  /** The hash of the last proof of fraud against a host, zero for none. */
  async fraudOf(hostId: Hex, block?: bigint): Promise<Hex> {
    return (await this.#view<{ proofHash: Hex }>('auditLog', 'fraudOf', [hostId], block)).proofHash
  }

  /** The TPM's state in a host's last batch; all 0 before the first. */
  async clock(hostId: Hex, block?: bigint): Promise<HostClock> {
    return this.#view<HostClock>('auditLog', 'clock', [hostId], block)
  }

  /** The nonce of an account's next transaction: those in the node's pool count. */
  async nonce(address: Hex): Promise<bigint> {
    return nextNonce(this.#rpc, address)
  }

  /** What a call of a contract would return. @throws LedgerError also REVERTED */
  async call(to: ContractName, data: Hex, block?: bigint): Promise<Hex> {
    const { address } = this.deployment.contracts[to]
    const request = this.#rpc.request('eth_call', [
      { to: address, data },
      block === undefined ? 'latest' : quantity(block),
    ])
    return answerBytes(await orReverted(to, request), `answer of ${to}`)
  }

  /** An account's code, `0x` where it is no contract. */
  async code(address: Hex, block?: bigint): Promise<Hex> {
    const tag = block === undefined ? 'latest' : quantity(block)
    return answerBytes(await this.#rpc.request('eth_getCode', [address, tag]), `code of ${address}`)
  }

  /** One contract's events in order, both ends included. */
  async logs(contract: ContractName, fromBlock: bigint, toBlock: bigint): Promise<readonly LedgerEvent[]> {
    return readEvents(this.#rpc, this.deployment, contract, fromBlock, toBlock)
  }

  /** A transaction whose sender and calldata are proven by its hash; undefined where the node has none. */
  async transaction(hash: Hex): Promise<SentTransaction | undefined> {
    return readTransaction(this.#rpc, hash)
  }

  /**
   * Builds and signs a transaction without sending it. See `prepareTransaction`.
   *
   * @throws LedgerError also TRANSACTION_TOO_LARGE, REVERTED, FEE_TOO_HIGH, SIGNATURE_WRONG
   */
  async prepare(signer: TransactionSigner, { to, ...order }: ContractCall): Promise<SignedTransaction> {
    const { address } = this.deployment.contracts[to]
    return prepareTransaction(this.#rpc, this.deployment, signer, { to: address, ...order })
  }

  /** Sends signed bytes; again is no error. @throws LedgerError also TRANSACTION_REFUSED, TRANSACTION_TOO_LARGE */
  async send(raw: Hex): Promise<void> {
    await sendTransaction(this.#rpc, this.deployment, raw)
  }

  /** How a transaction ended; undefined while it is in no block. */
  async receipt(hash: Hex): Promise<TransactionReceipt | undefined> {
    const receipt = await readReceipt(this.#rpc, hash)
    if (receipt === undefined) return undefined
    const logs = receipt.logs.map((log) => decodeEvent(this.deployment, log))
    return { blockNumber: receipt.blockNumber, ok: receipt.ok, logs }
  }

  /**
   * Prepares, sends and waits until it is in a block. For callers who need not survive a crash in between.
   *
   * @throws LedgerError all of `prepare` and `send`; REVERTED also where it failed in its block; NOT_CONFIRMED
   */
  async submit(signer: TransactionSigner, order: ContractCall, timeoutMs = 60_000): Promise<Submitted> {
    const { raw, hash } = await this.prepare(signer, order)
    await this.send(raw)
    const receipt = await awaitReceipt(this.#rpc, hash, timeoutMs)
    const to = this.deployment.contracts[order.to].address
    await refuseFailed(this.#rpc, receipt, hash, { from: signer.address, to, data: order.data })
    const logs = receipt.logs.map((log) => decodeEvent(this.deployment, log))
    return { hash, blockNumber: receipt.blockNumber, logs }
  }

  /** Ends what is under way with UNAVAILABLE. */
  close(): void {
    this.#endpoint.close()
  }

  async #block(tag: string): Promise<Block> {
    const block = answerBlock(await this.#rpc.request('eth_getBlockByNumber', [tag, false]))
    if (block === undefined) throw new LedgerError('BLOCK_UNKNOWN', `the node has no block ${tag}`)
    return block
  }

  async #view<Answer>(contract: ContractName, name: string, args: readonly unknown[], block?: bigint): Promise<Answer> {
    // The caller names the view and its answer's type together: a test compares abi.ts with the compiled contracts.
    const fragment = INTERFACES[contract].getFunction(name) as FunctionFragment
    const data = INTERFACES[contract].encodeFunctionData(fragment, args) as Hex
    const answer = await this.call(contract, data, block)
    try {
      return decodeValues(fragment.outputs, answer) as Answer
    } catch (cause) {
      throw new LedgerError('RPC_INVALID', `answer of ${contract}.${name}: ${messageOf(cause)}`, { cause })
    }
  }
}

type HostOnLedger = Omit<Host, 'status' | 'assurance'> & { readonly status: number; readonly assurance: number }
type VmmOnLedger = Omit<Vmm, 'status'> & { readonly status: number }
type GrantOnLedger = Omit<GrantState, 'grant'> & { readonly g: Grant }

function nameOf<Name extends string>(names: readonly Name[], number: number): Name {
  const name = names[number]
  if (name === undefined) throw invalid('status', `a number below ${names.length}`)
  return name
}

function quantity(value: bigint): Hex {
  return `0x${value.toString(16)}`
}
