import { toHex } from '../core/bytes.ts'
import { decodeCanonicalLog, replayCanonicalLog, type LoggedEvent } from '../tcg/canonical-event-log.ts'
import { TcgError } from '../tcg/error.ts'
import type { VmmRules } from './appraisal-policy.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import type { Explanation } from './explanation.ts'

/**
 * Holds the VMM's log against the components that may be measured: `vmm-log`, and `vmm:NAME` for each component.
 *
 * @param bytes the canonical event log; untrusted: believed only where its replay is the quoted PCR
 */
export function appraiseVmmLog(bytes: Uint8Array | undefined, rules: VmmRules): Explanation {
  const expected = `a canonical event log for PCR ${rules.pcr}`
  if (bytes === undefined) return { value: undefined, claims: [notCovered('vmm-log', expected, 'none', 'LOG_MISSING')] }
  let log: readonly LoggedEvent[]
  try {
    log = decodeCanonicalLog(bytes)
  } catch (error) {
    if (!(error instanceof TcgError)) throw error
    return { value: undefined, claims: [claim('vmm-log', expected, error.message, false, 'LOG_INVALID')] }
  }
  const records = log.filter(({ pcr }) => pcr === rules.pcr)
  const found = `${records.length} events`
  const fits =
    records[0]?.event.kind === 'profile' &&
    records.every(({ event }, i) => i === 0 || event.kind !== 'profile') &&
    records.some(({ event }) => event.kind === 'component' && event.sha256 !== undefined)
  return {
    value: replayCanonicalLog(log, rules.pcr),
    claims: [
      claim('vmm-log', 'a profile first, then its components', found, fits, 'LOG_INVALID'),
      ...appraiseComponents(records, rules),
    ],
  }
}

/** The value to which a log leads; undefined where it cannot be read. */
export function vmmValue(bytes: Uint8Array | undefined, pcr: number): Uint8Array | undefined {
  try {
    return bytes && replayCanonicalLog(decodeCanonicalLog(bytes), pcr)
  } catch (error) {
    if (error instanceof TcgError) return undefined
    throw error
  }
}

function appraiseComponents(records: readonly LoggedEvent[], { components }: VmmRules): readonly Claim[] {
  const claims = records.flatMap(({ event }): Claim[] => {
    if (event.kind === 'profile') return []
    const name = `vmm:${event.name}`
    const found = event.sha256 === undefined ? 'absent' : toHex(event.sha256)
    if (event.kind === 'changed') return [claim(name, 'unchanged while it ran', found, false, 'COMPONENT_CHANGED')]
    const rule = components.get(event.name)
    if (rule === undefined) return [claim(name, 'a component of the policy', found, false, 'COMPONENT_UNLISTED')]
    const allowed: readonly string[] = rule === 'absent' ? [rule] : rule.map(toHex)
    return [claim(name, allowed.join(' or '), found, allowed.includes(found), 'COMPONENT_DIFFERS')]
  })
  const measured = new Set(records.map(({ event }) => event.name))
  const missing = [...components.keys()].filter((name) => !measured.has(name))
  return [
    ...claims,
    ...missing.map((name) => claim(`vmm:${name}`, 'in the log', 'not in the log', false, 'COMPONENT_MISSING')),
  ]
}
