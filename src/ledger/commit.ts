import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import type { BatchHeader } from '../record/batch.ts'
import type { OperationRecord } from '../record/record.ts'
import { AUDIT_LOG } from './abi.ts'
import { decodeValues } from './abi-value.ts'
import { LedgerError } from './error.ts'

/** A quote as it is submitted: r and s of 32 bytes, s at most half the group order. */
export interface SubmittedQuote {
  readonly attest: Uint8Array
  readonly r: Uint8Array
  readonly s: Uint8Array
}

/** What a host commits in one transaction. */
export interface Commit {
  readonly header: BatchHeader
  readonly records: readonly OperationRecord[]
  readonly quote: SubmittedQuote
}

/** The calldata of `AuditLog.commit`. */
export function encodeCommit(header: BatchHeader, records: readonly OperationRecord[], quote: SubmittedQuote): Hex {
  const onLedger = { attest: toHex(quote.attest), r: toHex(quote.r), s: toHex(quote.s) }
  return AUDIT_LOG.encodeFunctionData('commit', [header, records, onLedger]) as Hex
}

/**
 * Decodes the calldata of `AuditLog.commit`. Says nothing about whether header, records and quote belong together.
 *
 * @param calldata untrusted
 * @throws LedgerError CALLDATA_INVALID for another function, trailing bytes, or an encoding that is not canonical
 */
export function decodeCommit(calldata: Hex): Commit {
  const commit = AUDIT_LOG.getFunction('commit')
  if (commit === null || calldata.slice(0, 10).toLowerCase() !== commit.selector) {
    throw new LedgerError('CALLDATA_INVALID', 'expected the calldata of AuditLog.commit, found another function')
  }
  try {
    const values = decodeValues(commit.inputs, `0x${calldata.slice(10)}`)
    // The ABI decides on the types: the members of record/ are named and typed like the structs (Types.sol).
    const { header, records, quote } = values as unknown as CommitValues
    const { attest, r, s } = quote
    return { header, records, quote: { attest: fromHex(attest), r: fromHex(r, 32), s: fromHex(s, 32) } }
  } catch (cause) {
    throw new LedgerError('CALLDATA_INVALID', 'the calldata of AuditLog.commit cannot be decoded', { cause })
  }
}

interface CommitValues {
  readonly header: BatchHeader
  readonly records: readonly OperationRecord[]
  readonly quote: { readonly attest: Hex; readonly r: Hex; readonly s: Hex }
}
