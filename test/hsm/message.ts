import { type Hex, toHex } from '../../src/core/bytes.ts'
import type { LedgerKeyMessage, SigningScope } from '../../src/hsm/message.ts'

/** A ledger that is nowhere. */
export const SCOPE: SigningScope = {
  chainId: 31_337n,
  auditLog: `0x${'a1'.repeat(20)}`,
  hostRegistry: `0x${'b2'.repeat(20)}`,
  calls: new Map<Hex, readonly Hex[]>([[`0x${'a1'.repeat(20)}`, ['0x12345678', '0x9abcdef0']]]),
  maxGasPriceWei: 10n ** 12n,
}

/** A receipt for a group of records with this root: something else to sign with each root. @param groupRoot 32 bytes */
export function receiptFor(groupRoot: Uint8Array): LedgerKeyMessage & { readonly kind: 'receipt' } {
  const group = {
    hostId: `0x${'11'.repeat(32)}`,
    groupRoot: toHex(groupRoot),
    firstSeq: 1n,
    count: 1,
    includeBy: 9n,
  } as const
  return { kind: 'receipt', group }
}
