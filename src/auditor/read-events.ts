import { CONTRACT_NAMES, type ContractName } from '../ledger/deployment.ts'
import type { LedgerEvent } from '../ledger/event.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog } from './finding-log.ts'

/** How many blocks are asked for at once. */
const RANGE = 2000n

/**
 * All events of the four contracts from the deployment to the audit's last block, in the order of the ledger. What a node does not
 * give is a finding.
 */
export async function readEvents(
  { ledger, to }: AuditContext,
  findings: FindingLog,
  onProgress: (label: string) => void,
): Promise<readonly LedgerEvent[]> {
  const events: LedgerEvent[] = []
  for (let from = ledger.deployment.block; from <= to.number; from += RANGE) {
    const last = from + RANGE - 1n < to.number ? from + RANGE - 1n : to.number
    onProgress(`reading events: block ${last.toString()} of ${to.number.toString()}`)
    const range = await Promise.all(
      CONTRACT_NAMES.map(async (contract) => {
        const what = `events of ${contract} in blocks ${from.toString()} to ${last.toString()}`
        return findings.attempt('LEDGER_UNREADABLE', { kind: 'ledger' }, what, () =>
          inRange(ledger.logs(contract, from, last), contract, from, last),
        )
      }),
    )
    events.push(...range.flatMap((some) => some ?? []).sort(inOrder))
  }
  refuseRepeated(events, findings)
  return events
}

async function inRange(
  asked: Promise<readonly LedgerEvent[]>,
  contract: ContractName,
  from: bigint,
  to: bigint,
): Promise<readonly LedgerEvent[]> {
  const events = await asked
  const stray = events.find(
    (event) => event.contract !== contract || event.blockNumber < from || event.blockNumber > to,
  )
  if (stray === undefined) return events
  throw new RangeError(`found an event of ${stray.contract} in block ${stray.blockNumber.toString()}`)
}

/** By block, then by place in it. */
export function inOrder(a: LedgerEvent, b: LedgerEvent): number {
  if (a.blockNumber !== b.blockNumber) return a.blockNumber < b.blockNumber ? -1 : 1
  return a.logIndex - b.logIndex
}

function refuseRepeated(events: readonly LedgerEvent[], findings: FindingLog): void {
  events.forEach((event, i) => {
    const before = events[i - 1]
    if (before === undefined || inOrder(before, event) < 0) return
    const place = `block ${event.blockNumber.toString()}, index ${event.logIndex}`
    findings.add('HISTORY_INCONSISTENT', { kind: 'ledger' }, `two events at ${place}`)
  })
}
