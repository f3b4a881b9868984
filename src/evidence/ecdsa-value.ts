import { ReadError } from '../core/reader.ts'
import { childrenOf, DER, readDer, tagged, type DerValue } from './der.ts'

/**
 * Refuses an ECDSA signature that is not the one DER encoding of its two numbers (RFC 3279, section 2.2.3).
 *
 * @param value untrusted; Ecdsa-Sig-Value
 * @throws ReadError
 */
export function requireEcdsaValue(value: Uint8Array): void {
  const numbers = childrenOf(tagged(readDer(value), DER.SEQUENCE))
  if (numbers.length !== 2 || !numbers.every(isPositive)) throw new ReadError('expected an ECDSA signature in DER')
}

function isPositive({ tag, content: [first, second = 0] }: DerValue): boolean {
  return tag === DER.INTEGER && first !== undefined && first < 0x80 && (first > 0 || second >= 0x80)
}
