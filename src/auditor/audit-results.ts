import type { Hex } from '../core/bytes.ts'
import type { Endorsement } from '../evidence/endorsement.ts'
import type { Receipt } from '../record/receipt.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog } from './finding-log.ts'
import type { Replayed } from './replay.ts'
import type { ReceiptOutcome } from './verify-receipt.ts'

/** All that a report is made of. */
export interface AuditResults {
  readonly context: AuditContext
  readonly findings: FindingLog
  readonly replayed: Replayed
  /** What the trust store says of each host that it vouches for. */
  readonly endorsements: ReadonlyMap<Hex, Endorsement>
  /** How many acts stand on a contract's word alone, for who did them. */
  readonly indirect: number
  readonly outcomes: readonly { readonly receipt: Receipt; readonly outcome: ReceiptOutcome }[]
}
