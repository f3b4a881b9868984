import { equal, toHex } from '../core/bytes.ts'
import { BANKS, type PcrValues } from '../tcg/bank.ts'
import { resetValue } from '../tcg/reset-value.ts'
import type { AppraisalPolicy } from './appraisal-policy.ts'
import { firmwareValues } from './appraise-firmware-log.ts'
import { imaValue } from './appraise-ima-log.ts'
import { vmmValue } from './appraise-vmm-log.ts'
import { claim, notCovered, type Claim, type ClaimCode } from './claim.ts'
import type { Evidence } from './evidence.ts'
import type { VerifiedTpmQuote } from './tpm-quote.ts'
import { pcrDigest } from './vmm-hash.ts'

/** The values that every appraiser goes by, and what the quote's digest says of them. */
export interface ConfirmedValues {
  /** Of the quoted PCRs of the policy's bank, as far as they are known. What is said of them counts only where `digest` passes. */
  readonly values: PcrValues
  /** The claim `pcr-digest`. */
  readonly digest: Claim
}

/** What is true of a log whatever was quoted, and what is no statement about a value. */
const STANDING: readonly (ClaimCode | null)[] = [
  'NOT_IN_POLICY',
  'PCR_VALUE_MISSING',
  'PCR_UNEXPLAINED',
  'LOG_MISSING',
  'LOG_INVALID',
]

/**
 * Finds the value of each quoted PCR once, for everybody: as it was given, else as the policy or a log says that it must be. So whoever made the
 * evidence cannot choose by leaving values out what is looked at. All of them together must have the digest that was quoted.
 *
 * @param evidence untrusted
 */
export function confirmValues(
  quote: VerifiedTpmQuote,
  policy: AppraisalPolicy,
  { pcrs, eventLog, imaLog, vmmLog }: Evidence,
): ConfirmedValues {
  const { bank, ima, vmm, unextended } = policy
  const given = pcrs?.get(bank)
  const ruled = new Set(policy.firmware.events.map((event) => event.pcr))
  const firmware = firmwareValues(eventLog, bank)
  const valueOf = (pcr: number): Uint8Array | undefined => {
    const own = given?.get(pcr)
    if (own !== undefined) return own
    if (unextended.includes(pcr)) return resetValue(bank, pcr)
    if (pcr === ima?.pcr) return imaValue(imaLog, pcr, bank)
    if (pcr === vmm?.pcr) return vmmValue(vmmLog, pcr)
    const [reference, ...others] = policy.values.get(pcr) ?? []
    return ruled.has(pcr) || reference === undefined || others.length > 0 ? firmware.get(pcr) : reference
  }
  const selected = quote.selections.find((selection) => selection.bank === bank)?.pcrs ?? []
  const values = new Map<number, Uint8Array>()
  for (const pcr of selected) {
    const value = valueOf(pcr)
    if (value?.length === BANKS[bank].length) values.set(pcr, value)
  }
  return { values, digest: appraiseDigest(quote, policy, selected, values) }
}

/** A claim as it stands where the values that it rests on are not those that were quoted: open, whatever it said. */
export function unconfirmed(one: Claim, { code }: Claim): Claim {
  const isStanding = one.status !== 'pass' && STANDING.includes(one.code)
  return isStanding ? one : notCovered(one.name, one.expected, one.found, code ?? 'PCR_VALUE_MISSING')
}

function appraiseDigest(
  quote: VerifiedTpmQuote,
  { bank }: AppraisalPolicy,
  selected: readonly number[],
  values: PcrValues,
): Claim {
  const found = toHex(quote.pcrDigest)
  const missing = selected.filter((pcr) => !values.has(pcr))
  if (selected.length === 0 || missing.length > 0) {
    const expected = `a value of each quoted PCR; none of ${missing.join(',') || bank}`
    return notCovered('pcr-digest', expected, found, 'PCR_VALUE_MISSING')
  }
  const expected = pcrDigest({ bank, pcrs: selected }, values)
  return claim('pcr-digest', toHex(expected), found, equal(expected, quote.pcrDigest), 'PCR_DIGEST_DIFFERS')
}
