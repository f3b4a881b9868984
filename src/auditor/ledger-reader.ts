import type { Hex } from '../core/bytes.ts'
import type { ContractName, Deployment } from '../ledger/deployment.ts'
import type { LedgerEvent } from '../ledger/event.ts'
import type { Block } from '../ledger/rpc-answer.ts'
import type { SentTransaction } from '../ledger/sent-transaction.ts'
import type { Approvers, GrantState, Host, Vmm } from '../ledger/state.ts'
import type { Domain } from '../record/eip712.ts'

/**
 * All that an audit asks of a ledger; `Ledger` fits it. Answers are untrusted. Whoever gives one has checked that the chain and the
 * contracts' code are those of the deployment, and that a transaction hashes to what it was asked for by.
 */
export interface LedgerReader {
  readonly deployment: Deployment
  domain(contract: ContractName): Domain
  latestBlock(): Promise<Block>
  blockAt(number: bigint): Promise<Block>
  /** A contract's events in blocks `from` to `to`, both included, in order. */
  logs(contract: ContractName, from: bigint, to: bigint): Promise<readonly LedgerEvent[]>
  /** Undefined where the node has none. */
  transaction(hash: Hex): Promise<SentTransaction | undefined>
  /** An account's code at the end of a block, `0x` where it is no contract. */
  code(address: Hex, block?: bigint): Promise<Hex>
  // The contracts' state at the end of a block.
  host(hostId: Hex, block?: bigint): Promise<Host>
  vmm(vmmHash: Hex, block?: bigint): Promise<Vmm>
  grantOf(grantId: Hex, block?: bigint): Promise<GrantState>
  ownerOf(dataId: Hex, block?: bigint): Promise<Hex>
  candidateOf(dataId: Hex, block?: bigint): Promise<Hex>
  isRegistrar(account: Hex, block?: bigint): Promise<boolean>
  registrarNonce(account: Hex, block?: bigint): Promise<bigint>
  approvers(block?: bigint): Promise<Approvers>
  nextSeq(hostId: Hex, block?: bigint): Promise<bigint>
  batches(hostId: Hex, block?: bigint): Promise<number>
  peak(hostId: Hex, height: number, block?: bigint): Promise<Hex>
  fraudOf(hostId: Hex, block?: bigint): Promise<Hex>
  head(hostId: Hex, block?: bigint): Promise<Hex>
}
