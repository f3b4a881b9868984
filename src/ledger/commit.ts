import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import type { BatchHeader } from '../record/batch.ts'
import { joinRecords, splitRecords, type RecordBody, type RecordContext } from '../record/contexts.ts'
import type { OperationRecord } from '../record/record.ts'
import { AUDIT_LOG } from './abi.ts'
import { decodeValues } from './abi-value.ts'
import { LedgerError } from './error.ts'
import type { QuoteOnLedger } from './event.ts'

/** A quote as it is submitted (docs/formats.md, "Quotes on the ledger"). */
export interface SubmittedQuote {
  readonly akPublic: Uint8Array
  readonly attest: Uint8Array
  /** ECDSA: r ‖ s, s at most half the group order. RSASSA: 256 bytes. */
  readonly signature: Uint8Array
}

/** What a host commits in one transaction. */
export interface Commit {
  readonly header: BatchHeader
  /** Undefined where the batch is anchored: the records are not on the ledger. */
  readonly records: readonly OperationRecord[] | undefined
  readonly quote: SubmittedQuote
}

/** What a host committed, as it stands in the calldata. */
export interface DecodedCommit extends Commit {
  /** Of each record, the index of its context in the calldata; empty where the batch is anchored. */
  readonly contextOf: readonly number[]
}

/** A quote as the contracts take it. */
export function quoteOnLedger({ akPublic, attest, signature }: SubmittedQuote): QuoteOnLedger {
  return { akPublic: toHex(akPublic), attest: toHex(attest), signature: toHex(signature) }
}

/** The calldata of `AuditLog.commit`. */
export function encodeCommit(header: BatchHeader, records: readonly OperationRecord[], quote: SubmittedQuote): Hex {
  const { contexts, bodies } = splitRecords(records)
  return AUDIT_LOG.encodeFunctionData('commit', [header, contexts, bodies, quoteOnLedger(quote)]) as Hex
}

/** The calldata of `AuditLog.anchor`. */
export function encodeAnchor(header: BatchHeader, quote: SubmittedQuote): Hex {
  return AUDIT_LOG.encodeFunctionData('anchor', [header, quoteOnLedger(quote)]) as Hex
}

/**
 * Decodes the calldata of `AuditLog.commit` or `AuditLog.anchor`. Says nothing about whether header, records and quote belong together.
 *
 * @param calldata untrusted
 * @throws LedgerError CALLDATA_INVALID for another function, trailing bytes, an encoding that is not canonical, or a record whose
 *   context is missing
 */
export function decodeCommit(calldata: Hex): DecodedCommit {
  const selector = calldata.slice(0, 10).toLowerCase()
  const called = ['commit', 'anchor'].map((name) => AUDIT_LOG.getFunction(name)).find((f) => f?.selector === selector)
  if (called === undefined || called === null) {
    throw new LedgerError(
      'CALLDATA_INVALID',
      'expected the calldata of AuditLog.commit or anchor, found another function',
    )
  }
  try {
    const values = decodeValues(called.inputs, `0x${calldata.slice(10)}`)
    // The ABI decides on the types: the members of record/ are named and typed like the structs (Types.sol).
    const { header, quote, ...split } = values as unknown as CommitValues
    const { akPublic, attest, signature } = quote
    return {
      header,
      contextOf: (split.bodies ?? []).map(({ context }) => context),
      records: split.bodies === undefined ? undefined : joinRecords(header, split.contexts ?? [], split.bodies),
      quote: { akPublic: fromHex(akPublic), attest: fromHex(attest), signature: fromHex(signature) },
    }
  } catch (cause) {
    throw new LedgerError('CALLDATA_INVALID', `the calldata of AuditLog.${called.name} cannot be decoded`, { cause })
  }
}

interface CommitValues {
  readonly header: BatchHeader
  readonly contexts?: readonly RecordContext[]
  readonly bodies?: readonly RecordBody[]
  readonly quote: QuoteOnLedger
}
