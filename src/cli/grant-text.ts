import { UNLIMITED, type Grant } from '../record/grant.ts'
import { ZERO_HASH, operationId } from '../record/hash.ts'
import type { Hex } from '../core/bytes.ts'
import { utc } from './options.ts'
import { short, table } from './output.ts'

/** The operations that `--operation` knows. */
export const OPERATIONS = ['encrypt', 'decrypt'] as const

/** All that a grant says, a line each; conditions that it does not make are left out. */
export function grantText(id: Hex, grantor: Hex, grant: Grant): string {
  const conditions = [
    ['parent', grant.parent],
    ['vmm', grant.vmmHash],
    ['host', grant.hostId],
  ].filter(([, value]) => value !== ZERO_HASH)
  return table([
    ['grant', id],
    ['data', grant.dataId],
    ['grantor', grantor],
    ['grantee', grant.grantee],
    ['operation', operationWord(grant.operationId)],
    ['from', grant.notBefore === 0n ? 'at once' : utc(grant.notBefore)],
    ['until', grant.notAfter === UNLIMITED ? 'no end' : utc(grant.notAfter)],
    ['uses', grant.maxUses === UNLIMITED ? 'no limit' : String(grant.maxUses)],
    ['depth', grant.delegationDepth === 0 ? '0: no further delegation' : String(grant.delegationDepth)],
    ...(grant.minAssurance === 0 ? [] : [['assurance', `at least ${grant.minAssurance}`]]),
    ...conditions.map(([name = '', value = '']) => [name, value]),
  ])
}

/** A grant's limits in a few words, and how often it was used; lines of at most 78 columns. */
export function limitsText(grant: Grant, uses: bigint): readonly string[] {
  const words = [
    operationWord(grant.operationId),
    grant.maxUses === UNLIMITED ? `used ${uses} times` : `used ${uses} of ${grant.maxUses} times`,
    ...(grant.delegationDepth === 0 ? [] : [`depth ${grant.delegationDepth}`]),
    ...(grant.minAssurance === 0 ? [] : [`assurance ${grant.minAssurance}`]),
    ...(grant.vmmHash === ZERO_HASH ? [] : [`vmm ${short(grant.vmmHash)}`]),
    ...(grant.hostId === ZERO_HASH ? [] : [`host ${short(grant.hostId)}`]),
    ...(grant.notBefore === 0n ? [] : [`from ${utc(grant.notBefore)}`]),
    grant.notAfter === UNLIMITED ? 'no end' : `until ${utc(grant.notAfter)}`,
  ]
  return words.reduce<string[]>((lines, word) => {
    const longer = `${lines.at(-1) ?? ''}, ${word}`
    return lines.length > 0 && longer.length <= 78 ? [...lines.slice(0, -1), longer] : [...lines, word]
  }, [])
}

function operationWord(id: Hex): string {
  if (id === ZERO_HASH) return 'any operation'
  return OPERATIONS.find((name) => operationId(name) === id) ?? `operation ${short(id)}`
}
