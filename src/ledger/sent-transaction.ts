import { Transaction } from 'ethers'
import type { Hex } from '../core/bytes.ts'
import type { Rpc } from './rpc.ts'
import { answerBytes, answerObject, answerQuantity, invalid } from './rpc-answer.ts'

/** A transaction that is on the ledger, or in the node's pool. */
export interface SentTransaction {
  /** Recovered from the signature. */
  readonly from: Hex
  /** Undefined where it creates a contract. */
  readonly to: Hex | undefined
  readonly input: Hex
  /** The node's word; undefined while it is in no block. */
  readonly blockNumber: bigint | undefined
}

/**
 * Reads a transaction and puts it together again: what comes back hashes to `hash`, so sender, receiver and calldata are
 * those that were signed, whatever node told them.
 *
 * @returns undefined where the node has none
 * @throws LedgerError RPC_INVALID, also for a type other than 0, 1 and 2; UNAVAILABLE, RPC_REFUSED
 */
export async function readTransaction(rpc: Rpc, hash: Hex): Promise<SentTransaction | undefined> {
  const answer = await rpc.request('eth_getTransactionByHash', [hash])
  if (answer === null) return undefined
  const fields = answerObject(answer, 'transaction')
  const { blockNumber } = fields
  return {
    ...rebuild(fields, hash),
    blockNumber: blockNumber === null ? undefined : answerQuantity(blockNumber, 'transaction.blockNumber'),
  }
}

function rebuild(fields: Readonly<Record<string, unknown>>, hash: Hex): Omit<SentTransaction, 'blockNumber'> {
  const number = (name: string): bigint => answerQuantity(fields[name], `transaction.${name}`, 2n ** 256n - 1n)
  const type = fields['type'] === undefined ? 0 : Number(number('type'))
  if (type > 2) throw invalid('transaction.type', '0, 1 or 2')
  const v = number('v')
  try {
    const transaction = Transaction.from({
      type,
      // A legacy transaction's chain is in its v (EIP-155), where it has one.
      chainId: type !== 0 ? number('chainId') : v < 35n ? 0n : (v - 35n) / 2n,
      nonce: Number(number('nonce')),
      to: fields['to'] === null ? null : answerBytes(fields['to'], 'transaction.to', 20),
      data: answerBytes(fields['input'], 'transaction.input'),
      value: number('value'),
      gasLimit: number('gas'),
      ...(type === 2
        ? { maxFeePerGas: number('maxFeePerGas'), maxPriorityFeePerGas: number('maxPriorityFeePerGas') }
        : { gasPrice: number('gasPrice') }),
      ...(type === 0 ? {} : { accessList: fields['accessList'] as [] }),
      signature: { r: word(number('r')), s: word(number('s')), v },
    })
    const { from, to, data } = transaction
    if (transaction.hash === hash && from !== null) {
      return {
        from: from.toLowerCase() as Hex,
        to: to === null ? undefined : (to.toLowerCase() as Hex),
        input: data as Hex,
      }
    }
  } catch {
    // Told below, like any other fields that are not those of the transaction.
  }
  throw invalid('transaction', `the fields of the one with the hash ${hash}`)
}

function word(value: bigint): string {
  return `0x${value.toString(16).padStart(64, '0')}`
}
