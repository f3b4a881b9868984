import type { Hex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Grant } from '../record/grant.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { limitsText } from './grant-text.ts'
import { short } from './output.ts'

/** What has become of a grant: a grant is over as soon as one that it hangs below is. */
export type GrantStanding = 'active' | 'not yet' | 'revoked' | 'revoked above' | 'expired' | 'used up'

/** A grant on the ledger. */
export interface ListedGrant {
  readonly grantId: Hex
  readonly grantor: Hex
  readonly grant: Grant
  readonly block: bigint
  readonly uses: bigint
  /** Whether it was revoked itself. */
  readonly revoked: boolean
  readonly state: GrantStanding
}

/** All grants in the order in which they were entered, as they stand at the newest block's time. @throws LedgerError */
export async function readGrants(ledger: Ledger): Promise<readonly ListedGrant[]> {
  const { number, timestamp } = await ledger.latestBlock()
  const events = await ledger.logs('accessPolicy', ledger.deployment.block, number)
  const revoked = new Set(events.flatMap(({ name, args }) => (name === 'GrantRevoked' ? [args.grantId] : [])))
  const uses = new Map(
    events.flatMap(({ name, args }) => (name === 'GrantUsed' ? [[args.grantId, args.uses] as const] : [])),
  )
  const found = new Map<Hex, ListedGrant>()
  for (const event of events) {
    if (event.name !== 'Granted') continue
    const { grantId, grantor, grant } = event.args
    const own = { revoked: revoked.has(grantId), uses: uses.get(grantId) ?? 0n }
    const state = standing(grant, own, found.get(grant.parent), timestamp)
    found.set(grantId, { grantId, grantor, grant, block: event.blockNumber, ...own, state })
  }
  return [...found.values()]
}

/** @param parent stands before its delegations, so its own state is known */
function standing(
  grant: Grant,
  own: { readonly revoked: boolean; readonly uses: bigint },
  parent: ListedGrant | undefined,
  now: bigint,
): GrantStanding {
  if (own.revoked) return 'revoked'
  if (parent?.state === 'revoked' || parent?.state === 'revoked above') return 'revoked above'
  if (grant.notAfter < now || parent?.state === 'expired') return 'expired'
  if (own.uses >= grant.maxUses || parent?.state === 'used up') return 'used up'
  return grant.notBefore > now ? 'not yet' : 'active'
}

/** For each its id and state, who gave whom what, and its limits. */
export function grantsText(grants: readonly ListedGrant[]): string {
  if (grants.length === 0) return 'no grants'
  return grants
    .flatMap(({ grantId, grantor, grant, uses, state }) => {
      const below = grant.parent === ZERO_HASH ? '' : `, below ${short(grant.parent)}`
      return [
        `${grantId}  ${state}`,
        `  ${short(grantor)} to ${short(grant.grantee)}, data ${short(grant.dataId)}${below}`,
        ...limitsText(grant, uses).map((line) => `  ${line}`),
      ]
    })
    .join('\n')
}
