import type { EventFragment, Interface } from 'ethers'
import { messageOf } from '../core/error.ts'
import { INTERFACES } from './abi.ts'
import { named } from './abi-value.ts'
import { CONTRACT_NAMES, type ContractName, type Deployment } from './deployment.ts'
import { LedgerError } from './error.ts'
import type { LedgerEvent } from './event.ts'
import type { Rpc } from './rpc.ts'
import { answerArray, answerLog, invalid, type RawLog } from './rpc-answer.ts'

/** Nodes bound how much one question may cover; Besu's default is 5000 blocks. */
const BLOCKS_A_REQUEST = 5000n

/**
 * The events of one contract, in order.
 *
 * @param fromBlock the first block, inclusive
 * @param toBlock the last block, inclusive
 * @throws LedgerError UNAVAILABLE, RPC_REFUSED; RPC_INVALID for a log that was not asked for, cannot be decoded, or is out of order
 */
export async function readEvents(
  rpc: Rpc,
  deployment: Deployment,
  contract: ContractName,
  fromBlock: bigint,
  toBlock: bigint,
): Promise<readonly LedgerEvent[]> {
  const { address } = deployment.contracts[contract]
  const events: LedgerEvent[] = []
  for (let from = fromBlock; from <= toBlock; from += BLOCKS_A_REQUEST) {
    const last = from + BLOCKS_A_REQUEST - 1n
    const to = last < toBlock ? last : toBlock
    const filter = { address, fromBlock: `0x${from.toString(16)}`, toBlock: `0x${to.toString(16)}` }
    for (const value of answerArray(await rpc.request('eth_getLogs', [filter]), 'logs')) {
      const log = answerLog(value)
      if (log.address !== address) throw invalid('log.address', address)
      if (log.blockNumber < from || log.blockNumber > to) throw invalid('log.blockNumber', `${from} to ${to}`)
      events.push(inOrder(events.at(-1), decodeEvent(deployment, log)))
    }
  }
  return events
}

/**
 * Decodes a log of one of the four contracts.
 *
 * @param log untrusted
 * @throws LedgerError RPC_INVALID for another contract's log, an unknown event, or an encoding that is not canonical
 */
export function decodeEvent(deployment: Deployment, log: RawLog): LedgerEvent {
  const contract = CONTRACT_NAMES.find((name) => deployment.contracts[name].address === log.address)
  if (contract === undefined) throw invalid('log.address', 'one of the four contracts')
  const fragment = INTERFACES[contract].getEvent(log.topics[0] ?? '')
  if (fragment === null) throw invalid('log.topics', `an event of ${contract}`)
  const { blockNumber, transactionHash, logIndex } = log
  const args = argsOf(INTERFACES[contract], fragment, log)
  // The fragment's name decides on the type of its arguments: event.ts says for each what abi.ts says.
  return { name: fragment.name, args, contract, blockNumber, transactionHash, logIndex } as LedgerEvent
}

function argsOf(contract: Interface, fragment: EventFragment, log: RawLog): Readonly<Record<string, unknown>> {
  try {
    const values = contract.decodeEventLog(fragment, log.data, log.topics).toArray() as unknown[]
    const again = contract.encodeEventLog(fragment, values)
    if (again.data === log.data && again.topics.join() === log.topics.join()) return named(fragment.inputs, values)
  } catch (cause) {
    throw new LedgerError('RPC_INVALID', `log: not a ${fragment.name}: ${messageOf(cause)}`, { cause })
  }
  throw invalid('log', `the canonical encoding of a ${fragment.name}`)
}

function inOrder(before: LedgerEvent | undefined, event: LedgerEvent): LedgerEvent {
  const isLater =
    before === undefined ||
    event.blockNumber > before.blockNumber ||
    (event.blockNumber === before.blockNumber && event.logIndex > before.logIndex)
  if (!isLater) throw invalid('logs', 'ascending order')
  return event
}
