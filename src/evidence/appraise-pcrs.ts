import { equal, toHex } from '../core/bytes.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { RESETTABLE_PCRS } from '../tcg/pcr-selection.ts'
import { resetValue } from '../tcg/reset-value.ts'
import type { AppraisalPolicy } from './appraisal-policy.ts'
import { FIRMWARE_PCRS } from './appraise.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import type { VerifiedTpmQuote } from './tpm-quote.ts'

/**
 * Holds the quoted PCRs against what explains them: `pcr-N` for each quoted PCR.
 *
 * @param values of the quoted PCRs, as far as they are known
 * @param explained the values to which logs lead
 */
export function appraisePcrs(
  quote: VerifiedTpmQuote,
  policy: AppraisalPolicy,
  values: PcrValues,
  explained: PcrValues,
): readonly Claim[] {
  const selected = quote.selections.find(({ bank }) => bank === policy.bank)?.pcrs ?? []
  return selected.flatMap((pcr) => appraisePcr(pcr, values.get(pcr), policy, explained))
}

/** The claim `pcr-selection`: what a rule speaks of must be quoted, or it would say nothing. */
export function appraiseSelection({ selections }: VerifiedTpmQuote, policy: AppraisalPolicy): Claim {
  const { bank, unextended, values, firmware, ima, vmm } = policy
  const ruled = [ima?.pcr, vmm?.pcr, ...firmware.events.map(({ pcr }) => pcr)].filter((pcr) => pcr !== undefined)
  const pcrs = [...new Set([...policy.pcrs, ...unextended, ...values.keys(), ...ruled])].toSorted((a, b) => a - b)
  const expected = `${bank} alone${pcrs.length === 0 ? '' : ` with ${pcrs.join(',')}`}, without ${RESETTABLE_PCRS.join(',')}`
  const found = selections.map((one) => `${one.bank}:${one.pcrs.join(',')}`).join('+') || 'nothing'
  const [only, ...others] = selections
  const fits =
    only?.bank === bank &&
    others.length === 0 &&
    only.pcrs.length > 0 &&
    pcrs.every((pcr) => only.pcrs.includes(pcr)) &&
    !only.pcrs.some((pcr) => RESETTABLE_PCRS.includes(pcr))
  return claim('pcr-selection', expected, found, fits, 'SELECTION_DIFFERS')
}

/** Everything that explains the PCR must agree with it. */
function appraisePcr(
  pcr: number,
  value: Uint8Array | undefined,
  policy: AppraisalPolicy,
  explained: PcrValues,
): readonly Claim[] {
  const name = `pcr-${pcr}`
  if (value === undefined) return [notCovered(name, 'a value', 'none', 'PCR_VALUE_MISSING')]
  const found = toHex(value)
  if (pcr < FIRMWARE_PCRS && value.every((byte) => byte === 0)) {
    return [claim(name, 'extended by the firmware', found, false, 'PCR_ZERO')]
  }
  const claims: Claim[] = []
  const references = policy.values.get(pcr)
  if (references !== undefined) {
    const fits = references.some((reference) => equal(reference, value))
    claims.push(claim(name, references.map(toHex).join(' or '), found, fits, 'PCR_DIFFERS'))
  }
  if (policy.unextended.includes(pcr)) {
    const reset = resetValue(policy.bank, pcr)
    claims.push(claim(name, `${toHex(reset)}, never extended`, found, equal(reset, value), 'PCR_DIFFERS'))
  }
  const replayed = explained.get(pcr)
  if (replayed !== undefined) {
    claims.push(claim(name, `${toHex(replayed)}, by its log`, found, equal(replayed, value), 'LOG_DIFFERS'))
  }
  if (claims.length > 0) return claims
  return [notCovered(name, 'a reference value, or a log that leads to it', found, 'PCR_UNEXPLAINED')]
}
