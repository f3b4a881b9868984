import { toHex, type Hex } from '../../src/core/bytes.ts'
import type { Grant } from '../../src/record/grant.ts'
import { ZERO_ADDRESS, ZERO_HASH } from '../../src/record/hash.ts'
import type { Draw } from './draw.ts'

/** What grants are drawn from. */
export interface GrantSetting {
  readonly accounts: readonly Hex[]
  /** Data that is registered, with its owner. */
  readonly data: readonly { readonly dataId: Hex; readonly owner: Hex }[]
  /** The block's time, in seconds since the epoch: grants begin and end around it. */
  readonly timestamp: bigint
  readonly grants: readonly { readonly grantId: Hex; readonly grant: Grant }[]
}

const MAX_U64 = 2n ** 64n - 1n
const IDS = [1, 2].map((byte) => toHex(new Uint8Array(32).fill(byte)))

/** A grant and who makes it: mostly who may, and mostly within what the parent allows, with now and then something wrong. */
export function drawGrant(draw: Draw, setting: GrantSetting): { readonly grant: Grant; readonly grantor: Hex } {
  const salt = toHex(draw.bytes(32))
  const parent = draw.chance(60) && setting.grants.length > 0 ? draw.pick(setting.grants) : undefined
  const { dataId, owner } = draw.pick(setting.data)
  const rightful = parent?.grant.grantee ?? owner
  const base: Grant =
    parent === undefined
      ? { ...drawRoot(draw, setting, dataId), salt }
      : {
          ...parent.grant,
          grantee: draw.pick(setting.accounts),
          delegationDepth: Math.max(0, parent.grant.delegationDepth - 1),
          parent: parent.grantId,
          salt,
        }
  let grant = base
  for (let changes = draw.pick([0, 0, 0, 1, 1, 2]); changes > 0; changes--) {
    grant = { ...grant, ...drawChange(draw, setting, grant) }
  }
  if (parent !== undefined && draw.chance(25)) grant = { ...grant, ...drawWider(draw, setting, parent.grant) }
  return { grant, grantor: draw.chance(90) ? rightful : draw.pick(setting.accounts) }
}

function drawRoot(draw: Draw, { accounts, timestamp }: GrantSetting, dataId: Hex): Omit<Grant, 'salt'> {
  const some = (): Hex => (draw.chance(70) ? ZERO_HASH : draw.pick(IDS))
  return {
    dataId,
    grantee: draw.pick(accounts),
    operationId: some(),
    notBefore: draw.chance(50) ? 0n : timestamp,
    notAfter: draw.chance(60) ? MAX_U64 : timestamp + BigInt(draw.below(60)),
    maxUses: draw.chance(60) ? MAX_U64 : BigInt(1 + draw.below(5)),
    vmmHash: some(),
    hostId: some(),
    minAssurance: draw.below(3),
    delegationDepth: draw.pick([0, 1, 2, 3, 5, 8]),
    parent: ZERO_HASH,
  }
}

/** One limit just beyond the parent's. */
function drawWider(draw: Draw, { data }: GrantSetting, parent: Grant): Partial<Grant> {
  const other = (id: Hex): Hex => draw.pick([ZERO_HASH, ...IDS].filter((one) => one !== id))
  return draw.pick<Partial<Grant>>([
    { dataId: draw.pick(data).dataId },
    { operationId: other(parent.operationId) },
    { vmmHash: other(parent.vmmHash) },
    { hostId: other(parent.hostId) },
    { notBefore: parent.notBefore === 0n ? 0n : parent.notBefore - 1n },
    { notAfter: parent.notAfter === MAX_U64 ? MAX_U64 : parent.notAfter + 1n },
    { maxUses: parent.maxUses === MAX_U64 ? MAX_U64 : parent.maxUses + 1n },
    { minAssurance: Math.max(0, parent.minAssurance - 1) },
  ])
}

/** Another value of one member, often the next one to what it is. */
function drawChange(draw: Draw, { accounts, data, timestamp, grants }: GrantSetting, grant: Grant): Partial<Grant> {
  const near = (value: bigint): bigint => draw.pick([value - 1n, value + 1n, 0n, timestamp, MAX_U64]) & MAX_U64
  const other = (): Hex => draw.pick([ZERO_HASH, ...IDS])
  return draw.pick<() => Partial<Grant>>([
    () => ({ dataId: draw.chance(50) ? draw.pick(data).dataId : toHex(draw.bytes(32)) }),
    () => ({ grantee: draw.chance(50) ? ZERO_ADDRESS : draw.pick(accounts) }),
    () => ({ operationId: other() }),
    () => ({ vmmHash: other() }),
    () => ({ hostId: other() }),
    () => ({ notBefore: near(grant.notBefore) }),
    () => ({ notAfter: near(grant.notAfter) }),
    () => ({ maxUses: near(grant.maxUses) }),
    () => ({ minAssurance: draw.pick([0, 1, 2, 3, 4, 255]) }),
    () => ({ delegationDepth: draw.pick([0, grant.delegationDepth + 1, 8, 9, 255]) & 0xff }),
    () => ({
      parent: draw.chance(50) ? toHex(draw.bytes(32)) : (grants[draw.below(grants.length)]?.grantId ?? ZERO_HASH),
    }),
    () => ({ salt: ZERO_HASH }),
  ])()
}
