import type { Deployment } from './deployment.ts'
import { readEvents } from './events.ts'
import type { Rpc } from './rpc.ts'
import { answerQuantity } from './rpc-answer.ts'
import { readReceipt } from './submission.ts'

/**
 * In which block a deployment begins, as the chain tells it: the HostRegistry's first event is its constructor's, which is never without one.
 * A file that names a later block would hide what was decided before.
 *
 * @returns a number, or in words what there is instead
 * @throws LedgerError
 */
export async function firstBlock(rpc: Rpc, deployment: Deployment): Promise<string> {
  const latest = answerQuantity(await rpc.request('eth_blockNumber', []), 'block number', 2n ** 64n - 1n)
  const [first] = await readEvents(rpc, deployment, 'hostRegistry', deployment.block, latest)
  if (first === undefined) return 'a block after the contracts were created'
  const receipt = await readReceipt(rpc, first.transactionHash)
  const isCreation = receipt?.contractAddress === deployment.contracts.hostRegistry.address
  return isCreation ? String(first.blockNumber) : 'a block after the contracts were created'
}
