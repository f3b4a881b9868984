import { Transaction } from 'ethers/transaction'
import { type Hex, fromHex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import {
  type AddressReplacement,
  type AddressRotation,
  addressReplacementDigest,
  addressRotationDigest,
  ledgerAddressClaimDigest,
} from '../record/claim.ts'
import { enrolmentRequestDigest } from '../record/enrolment.ts'
import { type ReceiptGroup, receiptGroupDigest } from '../record/receipt.ts'
import { Pkcs11Error } from './error.ts'

/** Everything that a ledger key ever signs. There is no way to have it sign a digest whose content it has not seen. */
export type LedgerKeyMessage =
  /** The serialised transaction without a signature (EIP-155, EIP-1559). */
  | { readonly kind: 'transaction'; readonly unsigned: Hex }
  | { readonly kind: 'receipt'; readonly group: ReceiptGroup }
  | { readonly kind: 'enrolmentRequest'; readonly requestHash: Hex }
  | { readonly kind: 'addressClaim'; readonly hostId: Hex; readonly akPublic: Uint8Array }
  | { readonly kind: 'addressRotation'; readonly rotation: AddressRotation }
  | { readonly kind: 'addressReplacement'; readonly replacement: AddressReplacement }

/** What a ledger key may sign for: one chain, and there these contracts alone. */
export interface SigningScope {
  readonly chainId: bigint
  /** The verifying contract of receipts. */
  readonly auditLog: Hex
  /** The verifying contract of all else that is no transaction. */
  readonly hostRegistry: Hex
  /** The contracts' functions that transactions may call: selectors of 4 bytes, by address in lower case. */
  readonly calls: ReadonlyMap<Hex, readonly Hex[]>
  /** The most that a unit of gas may cost, in wei. */
  readonly maxGasPriceWei: bigint
}

/**
 * The digest of a message, built here so that whoever calls cannot have anything else signed.
 *
 * @param message untrusted
 * @returns 32 bytes
 * @throws Pkcs11Error MESSAGE_REFUSED for what is malformed or not in the scope
 */
export function digestOf(message: LedgerKeyMessage, scope: SigningScope): Uint8Array {
  const { chainId, auditLog, hostRegistry } = scope
  const registry = { chainId, verifyingContract: hostRegistry }
  try {
    switch (message.kind) {
      case 'transaction':
        return digestOfTransaction(message.unsigned, scope)
      case 'receipt':
        return fromHex(receiptGroupDigest({ chainId, verifyingContract: auditLog }, message.group), 32)
      case 'enrolmentRequest':
        return fromHex(enrolmentRequestDigest(registry, message.requestHash), 32)
      case 'addressClaim':
        return fromHex(ledgerAddressClaimDigest(registry, message.hostId, message.akPublic), 32)
      case 'addressRotation':
        return fromHex(addressRotationDigest(registry, message.rotation), 32)
      case 'addressReplacement':
        return fromHex(addressReplacementDigest(registry, message.replacement), 32)
    }
  } catch (cause) {
    if (cause instanceof Pkcs11Error) throw cause
    throw new Pkcs11Error('MESSAGE_REFUSED', `malformed ${message.kind}: ${messageOf(cause)}`, {}, { cause })
  }
  throw refused(`expected a message of a known kind, found ${String((message as { kind?: unknown }).kind)}`)
}

function digestOfTransaction(unsigned: Hex, { chainId, calls, maxGasPriceWei }: SigningScope): Uint8Array {
  const transaction = Transaction.from(unsigned)
  // What is hashed is the text's own serialisation, and that must be all there was.
  if (transaction.isSigned() || transaction.unsignedSerialized !== unsigned) {
    throw refused('expected a transaction without a signature, in its one serialisation')
  }
  if (transaction.chainId !== chainId) throw refused(`expected chain ${chainId}, found ${transaction.chainId}`)
  if (transaction.type !== 0 && transaction.type !== 2) throw refused(`expected type 0 or 2, found ${transaction.type}`)
  const to = (transaction.to?.toLowerCase() ?? 'none') as Hex
  const selector = transaction.data.slice(0, 10) as Hex
  if (calls.get(to)?.includes(selector) !== true) throw refused(`a call of ${selector} at ${to} is not allowed`)
  if (transaction.value !== 0n) throw refused(`expected no value, found ${transaction.value} wei`)
  const price = transaction.maxFeePerGas ?? transaction.gasPrice ?? 0n
  if (price > maxGasPriceWei) throw refused(`expected at most ${maxGasPriceWei} wei for gas, found ${price}`)
  return fromHex(transaction.unsignedHash, 32)
}

function refused(message: string): Pkcs11Error {
  return new Pkcs11Error('MESSAGE_REFUSED', message)
}
