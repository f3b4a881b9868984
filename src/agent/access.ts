import type { Hex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Admitted } from './admission.ts'
import { Refusal } from './refusal.ts'

/** What the ledger decided, and where. */
export interface Access {
  /** 0 where it is allowed, else a code of `REASONS`. */
  readonly status: number
  readonly block: bigint
  /** Seconds since the epoch: the moment for which it was asked. */
  readonly timestamp: bigint
}

/** What access is decided with. */
export interface AccessParts {
  readonly ledger: Ledger
  readonly stalenessS: number
  readonly now: () => bigint
}

/**
 * Asks the ledger's latest block whether a request is allowed under a measurement.
 *
 * @throws Refusal LEDGER_UNAVAILABLE; LEDGER_STALE where that block is too old, or too far ahead of this host's clock, to
 * decide by
 */
export async function checkAccess(
  { ledger, stalenessS, now }: AccessParts,
  { request, requester }: Admitted,
  vmmHash: Hex,
): Promise<Access> {
  const { dataId, grantId, operationId, hostId } = request
  try {
    const block = await ledger.latestBlock()
    const timestamp = now()
    const age = timestamp - block.timestamp
    if (age > BigInt(stalenessS) || -age > BigInt(stalenessS)) {
      throw new Refusal(
        'LEDGER_STALE',
        `the ledger's latest block ${block.number.toString()} is ${age.toString()} s old by this host's clock, at most ${stalenessS} will do`,
      )
    }
    const asked = { dataId, grantId, requester, operationId, hostId, vmmHash, timestamp, asOf: block.number }
    return { status: await ledger.checkAccess(asked), block: block.number, timestamp }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause
    throw new Refusal('LEDGER_UNAVAILABLE', 'the ledger does not answer whether access is allowed', { cause })
  }
}
