import { fromHex, type Hex } from '../core/bytes.ts'
import { LedgerError, isLedgerError } from './error.ts'
import { reverted } from './revert.ts'
import type { Rpc } from './rpc.ts'
import { answerBytes, answerObject, answerReceipt, type RawReceipt } from './rpc-answer.ts'
import { parseSigned, type Chain } from './transaction.ts'

/** How often a receipt is asked for while one is waited for. */
const POLL_MS = 150

/**
 * Sends signed bytes. Sending the same ones again, pending or mined, is no error.
 *
 * @throws LedgerError TRANSACTION_REFUSED, TRANSACTION_TOO_LARGE, UNAVAILABLE (it may have arrived: send the same bytes
 *   again), RPC_INVALID
 * @throws RangeError for bytes that are not a signed transaction for this chain
 */
export async function sendTransaction(rpc: Rpc, chain: Chain, raw: Hex): Promise<void> {
  const { hash, chainId } = parseSigned(raw)
  if (hash === null || chainId !== chain.chainId)
    throw new RangeError(`expected a transaction for chain ${chain.chainId}`)
  const { length } = fromHex(raw)
  if (length > chain.profile.maxTransactionBytes) {
    const expected = `expected a transaction of at most ${chain.profile.maxTransactionBytes} bytes`
    throw new LedgerError('TRANSACTION_TOO_LARGE', `${expected}, found ${length}`)
  }
  try {
    const answer = await rpc.request('eth_sendRawTransaction', [raw])
    if (answerBytes(answer, 'transaction hash', 32) === hash) return
  } catch (error) {
    if (!isLedgerError(error, 'RPC_REFUSED')) throw error
    // Nodes say "already known" and "nonce too low" in many ways. Whether it has the transaction is what matters.
    if (await isKnown(rpc, hash as Hex)) return
    throw new LedgerError('TRANSACTION_REFUSED', error.message, { cause: error })
  }
  throw new LedgerError('RPC_INVALID', `expected the hash ${hash} of what was sent, found another`)
}

/** How a transaction ended; undefined while it is in no block. */
export async function readReceipt(rpc: Rpc, hash: Hex): Promise<RawReceipt | undefined> {
  return answerReceipt(await rpc.request('eth_getTransactionReceipt', [hash]), hash)
}

/**
 * Waits until a transaction is in a block. A node that goes away meanwhile is waited for too.
 *
 * @throws LedgerError NOT_CONFIRMED after `timeoutMs`; RPC_REFUSED, RPC_INVALID, CHAIN_ID_MISMATCH, CODE_MISMATCH
 */
export async function awaitReceipt(rpc: Rpc, hash: Hex, timeoutMs: number): Promise<RawReceipt> {
  const deadline = Date.now() + timeoutMs
  let cause: unknown
  do {
    try {
      const receipt = await readReceipt(rpc, hash)
      if (receipt !== undefined) return receipt
      cause = undefined
    } catch (error) {
      if (!isLedgerError(error, 'UNAVAILABLE')) throw error
      cause = error
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  } while (Date.now() < deadline)
  throw new LedgerError('NOT_CONFIRMED', `transaction ${hash} is in no block after ${timeoutMs} ms`, { cause })
}

/** Refuses the receipt of a transaction that failed, with the reason where the node can still tell it. */
export async function refuseFailed(
  rpc: Rpc,
  receipt: RawReceipt,
  hash: Hex,
  call: { readonly from: Hex; readonly to: Hex; readonly data: Hex },
): Promise<void> {
  if (receipt.ok) return
  let data: Hex | undefined
  try {
    // The receipt holds no reason: the same call on the state after the block most often fails in the same way, also where
    // an earlier transaction in it is why.
    await rpc.request('eth_call', [call, `0x${receipt.blockNumber.toString(16)}`])
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    data = error.data
  }
  throw reverted(`transaction ${hash}`, data)
}

async function isKnown(rpc: Rpc, hash: Hex): Promise<boolean> {
  const answer = await rpc.request('eth_getTransactionByHash', [hash])
  return answer !== null && answerBytes(answerObject(answer, 'transaction')['hash'], 'transaction.hash', 32) === hash
}
