import { Transaction } from 'ethers'
import { fromHex, type Hex } from '../core/bytes.ts'
import type { ChainProfile } from './deployment.ts'
import { LedgerError, isLedgerError } from './error.ts'
import { orReverted } from './revert.ts'
import type { Rpc } from './rpc.ts'
import { answerObject, answerQuantity } from './rpc-answer.ts'
import type { TransactionSigner } from './signer.ts'

/** A transaction that is complete: these bytes are all that is ever sent for it. */
export interface SignedTransaction {
  readonly raw: Hex
  readonly hash: Hex
  readonly nonce: bigint
}

/** The chain that a transaction is for. */
export interface Chain {
  readonly chainId: bigint
  readonly profile: ChainProfile
}

/** What a transaction does: a call, or without `to` the creation of a contract. */
export interface TransactionOrder {
  readonly to?: Hex
  readonly data: Hex
  /** By default the next one that the node knows, its pool included. */
  readonly nonce?: bigint
}

/** The most that a unit of gas may cost, in wei: a node that asks for more is wrong, or wants the account emptied. */
export const MAX_GAS_PRICE_WEI = 10n ** 12n
/** For a node that has no opinion. */
const DEFAULT_TIP_WEI = 10n ** 9n
const MAX_GAS = 2n ** 32n
/** The most gas that a transaction may ask for on newer chains (EIP-7825). */
const GAS_CAP = 2n ** 24n

/**
 * Builds and signs a transaction. Nothing is sent: whoever must not lose it stores it first.
 *
 * @throws LedgerError TRANSACTION_TOO_LARGE before anything is signed; REVERTED where the call would fail now;
 *   TRANSACTION_TYPE_UNSUPPORTED, FEE_TOO_HIGH, SIGNATURE_WRONG, UNAVAILABLE, RPC_REFUSED, RPC_INVALID
 */
export async function prepareTransaction(
  rpc: Rpc,
  chain: Chain,
  signer: TransactionSigner,
  order: TransactionOrder,
): Promise<SignedTransaction> {
  const { maxTransactionBytes, transactionType } = chain.profile
  refuseLarge(order.data.length / 2 - 1, maxTransactionBytes)
  const [gasLimit, fees, nonce] = await Promise.all([
    gasFor(rpc, signer.address, order),
    transactionType === 0 ? legacyFees(rpc) : marketFees(rpc),
    order.nonce ?? nextNonce(rpc, signer.address),
  ])
  const transaction = Transaction.from({
    type: transactionType,
    chainId: chain.chainId,
    nonce: Number(nonce),
    to: order.to ?? null,
    data: order.data,
    value: 0n,
    gasLimit,
    ...fees,
  })
  refuseLarge(fromHex(transaction.unsignedSerialized).length + MAX_SIGNATURE_BYTES, maxTransactionBytes)
  return sign(transaction, signer, nonce)
}

/** The nonce of an account's next transaction: those in the node's pool count. */
export async function nextNonce(rpc: Rpc, address: Hex): Promise<bigint> {
  const answer = await rpc.request('eth_getTransactionCount', [address, 'pending'])
  return answerQuantity(answer, 'nonce', BigInt(Number.MAX_SAFE_INTEGER))
}

/** Reads signed bytes. @throws RangeError for what is not a signed transaction */
export function parseSigned(raw: Hex): Transaction {
  try {
    const transaction = Transaction.from(raw)
    if (transaction.isSigned()) return transaction
  } catch (cause) {
    throw new RangeError('expected a signed transaction', { cause })
  }
  throw new RangeError('expected a signed transaction')
}

/** What a signature adds at most: r and s with their prefixes, v, and a longer prefix of the list. */
const MAX_SIGNATURE_BYTES = 33 + 33 + 1 + 2

async function sign(transaction: Transaction, signer: TransactionSigner, nonce: bigint): Promise<SignedTransaction> {
  const signature = await ('signTransaction' in signer
    ? signer.signTransaction(transaction.unsignedSerialized as Hex)
    : signer.signDigest(fromHex(transaction.unsignedHash, 32)))
  if (senderWith(transaction, signature) !== signer.address) {
    throw new LedgerError('SIGNATURE_WRONG', `expected a signature of ${signer.address}, found another key's or none`)
  }
  return { raw: transaction.serialized as Hex, hash: transaction.hash as Hex, nonce }
}

/** Attaches a signature and recovers whose it is; undefined for what is no signature. */
function senderWith(transaction: Transaction, signature: Hex): string | undefined {
  try {
    transaction.signature = signature
    return transaction.from?.toLowerCase()
  } catch {
    return undefined
  }
}

function refuseLarge(bytes: number, max: number): void {
  if (bytes <= max) return
  throw new LedgerError('TRANSACTION_TOO_LARGE', `expected a transaction of at most ${max} bytes, found ${bytes}`)
}

/** A quarter more than the node's estimate: state may have moved on when the transaction is executed. */
async function gasFor(rpc: Rpc, from: Hex, { to, data }: TransactionOrder): Promise<bigint> {
  const call = to === undefined ? { from, data } : { from, to, data }
  const estimate = await orReverted('transaction', rpc.request('eth_estimateGas', [call]))
  const gas = answerQuantity(estimate, 'gas', MAX_GAS)
  const ample = gas + gas / 4n
  return gas < GAS_CAP && ample > GAS_CAP ? GAS_CAP : ample
}

async function legacyFees(rpc: Rpc): Promise<{ gasPrice: bigint }> {
  return { gasPrice: await priceOf(rpc, 'eth_gasPrice') }
}

/** Set here and not left to ethers, which falls back to a legacy transaction where the base fee is 0. */
async function marketFees(rpc: Rpc): Promise<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }> {
  const [block, tip] = await Promise.all([
    rpc.request('eth_getBlockByNumber', ['latest', false]),
    priceOf(rpc, 'eth_maxPriorityFeePerGas').catch((error: unknown) => {
      if (isLedgerError(error, 'RPC_REFUSED')) return DEFAULT_TIP_WEI
      throw error
    }),
  ])
  const { baseFeePerGas } = answerObject(block, 'block')
  if (baseFeePerGas === undefined) {
    const why = 'this chain has no base fee, so it takes no transactions of type 2: set transaction_type = 0'
    throw new LedgerError('TRANSACTION_TYPE_UNSUPPORTED', why)
  }
  const baseFee = answerQuantity(baseFeePerGas, 'baseFeePerGas', 2n ** 128n)
  const maxFeePerGas = 2n * baseFee + tip
  refuseExpensive(maxFeePerGas)
  return { maxFeePerGas, maxPriorityFeePerGas: tip }
}

async function priceOf(rpc: Rpc, method: string): Promise<bigint> {
  const price = answerQuantity(await rpc.request(method, []), method, 2n ** 128n)
  refuseExpensive(price)
  return price
}

function refuseExpensive(priceWei: bigint): void {
  if (priceWei <= MAX_GAS_PRICE_WEI) return
  throw new LedgerError(
    'FEE_TOO_HIGH',
    `expected at most ${MAX_GAS_PRICE_WEI} wei for a unit of gas, found ${priceWei}`,
  )
}
