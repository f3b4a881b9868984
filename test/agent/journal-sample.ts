import type { Batch, Intent, JournalIdentity, Outcome } from '../../src/agent/journal-entry.ts'
import type { Hex } from '../../src/core/bytes.ts'
import { ZERO_HASH } from '../../src/record/hash.ts'
import { leafOf, type OperationRecord } from '../../src/record/record.ts'
import { rootOf } from '../../src/record/tree.ts'

const hash = (n: number): Hex => `0x${n.toString(16).padStart(2, '0').repeat(32)}`

export const identity: JournalIdentity = { hostId: hash(0xaa), chainId: 31337n, auditLog: `0x${'bb'.repeat(20)}` }

/** An intent of its own for each number from 1 to 99. */
export function intent(n: number): Intent {
  return {
    requestHash: hash(n),
    request: {
      operationId: hash(0xc0),
      dataId: hash(0xc1),
      grantId: ZERO_HASH,
      inputHash: hash(n + 100),
      hostId: identity.hostId,
      nonce: hash(n),
      expiry: 2_000_000_000n,
    },
    signature: `0x${'11'.repeat(65)}`,
    requester: `0x${'22'.repeat(20)}`,
    vmmHash: hash(0xc2),
    policyBlock: 17n,
    timestamp: 1_700_000_000n,
  }
}

export const outcome: Outcome = { status: 0, resultHash: hash(0xdd), timestamp: 1_700_000_001n }

/** A batch over some records; `attempt` tells several over the same ones apart. */
export function batchOver(
  records: readonly OperationRecord[],
  attempt = 1,
): Pick<Batch, 'hash' | 'raw' | 'nonce' | 'header'> {
  return {
    hash: hash(attempt),
    raw: `0x02${'ee'.repeat(attempt)}`,
    nonce: 7n,
    header: {
      hostId: identity.hostId,
      firstSeq: records[0]?.seq ?? 0n,
      count: records.length,
      root: rootOf(records.map(leafOf)),
      prevHead: ZERO_HASH,
      anchorBlock: 18n,
      nvCounter: BigInt(attempt),
    },
  }
}
