import { equal, toHex, type Hex } from '../core/bytes.ts'
import { replayCanonicalLog, type LoggedEvent } from '../tcg/canonical-event-log.ts'
import { RESETTABLE_PCRS, type PcrSelection } from '../tcg/pcr-selection.ts'
import { claim, notCovered, resultOf, type AttestationResult, type Claim } from './claim.ts'
import type { VerifiedQuote } from './quote.ts'
import { pcrDigest } from './vmm-hash.ts'

/** A verified quote, and what it is held against. */
export interface Appraisal {
  readonly quote: Pick<VerifiedQuote, 'vmmHash' | 'selections' | 'pcrDigest'>
  /** The measurements that are authorised. None means that none is: denied. */
  readonly authorised: ReadonlySet<Hex>
  /** The VMM's decoded log. Untrusted: believed only where it replays to the quoted PCR. */
  readonly log: readonly LoggedEvent[]
  /** The PCR into which the VMM was measured. */
  readonly pcr: number
  /** The value that each other quoted PCR must have, 32 bytes. */
  readonly references?: ReadonlyMap<number, Uint8Array>
}

/** PCRs 0 to 7 are the firmware's (TCG PC Client Platform Firmware Profile, "PCR Usage"). */
export const FIRMWARE_PCRS = 8

/**
 * Appraises a quote: its measurement is authorised, and a log or a reference value explains every PCR in it. Claims: `vmm-authorised`,
 * `pcr-selection`, `event-log`, `pcr-N` for each quoted PCR, `pcr-digest`.
 *
 * Only one selection, of the SHA-256 bank, can pass. A mismatch is a failed claim, not an error.
 */
export function appraise(appraisal: Appraisal): AttestationResult {
  const { quote, log, pcr } = appraisal
  const selected = quote.selections.flatMap((selection) => selection.pcrs)
  const values = explainedValues(appraisal)
  return resultOf([
    appraiseVmm(appraisal),
    appraiseSelection(quote.selections, pcr),
    appraiseLog(log, pcr),
    ...selected.map((quoted) => appraisePcr(quoted, values.get(quoted))),
    appraiseDigest(quote, values),
  ])
}

function explainedValues({ log, pcr, references = new Map() }: Appraisal): ReadonlyMap<number, Uint8Array> {
  const values = new Map<number, Uint8Array>(references)
  return values.set(pcr, replayCanonicalLog(log, pcr))
}

function appraiseVmm({ quote, authorised }: Appraisal): Claim {
  const expected = authorised.size === 0 ? 'an authorised measurement; there is none' : [...authorised].join(' or ')
  return claim('vmm-authorised', expected, quote.vmmHash, authorised.has(quote.vmmHash), 'VMM_NOT_AUTHORISED')
}

function appraiseSelection(selections: readonly PcrSelection[], pcr: number): Claim {
  const expected = `sha256 with PCR ${pcr}, without ${RESETTABLE_PCRS.join(' and ')}`
  const found = selections.map(({ bank, pcrs }) => `${bank}:${pcrs.join(',')}`).join('+')
  const [only, ...others] = selections
  const fits =
    only?.bank === 'sha256' && only.pcrs.includes(pcr) && !only.pcrs.some((one) => RESETTABLE_PCRS.includes(one))
  return claim('pcr-selection', expected, found, fits && others.length === 0, 'SELECTION_DIFFERS')
}

function appraiseLog(log: readonly LoggedEvent[], pcr: number): Claim {
  const kinds = log.filter((record) => record.pcr === pcr).map(({ event }) => event.kind)
  const components = kinds.filter((kind) => kind === 'component').length
  const found = `${kinds[0] ?? 'no event'} first, ${components} components`
  const fits = kinds[0] === 'profile' && components > 0
  return claim('event-log', 'a profile first, then its components', found, fits, 'LOG_INVALID')
}

function appraisePcr(pcr: number, value: Uint8Array | undefined): Claim {
  const name = `pcr-${pcr}`
  if (value === undefined) return notCovered(name, 'a log or a reference value', 'none', 'PCR_UNEXPLAINED')
  // A firmware PCR that was never extended says that the firmware did not measure, so that nothing measured after it counts.
  const measured = pcr >= FIRMWARE_PCRS || value.some((byte) => byte !== 0)
  return claim(name, 'a log or a reference value, not zero for firmware', toHex(value), measured, 'PCR_ZERO')
}

function appraiseDigest(quote: Appraisal['quote'], values: ReadonlyMap<number, Uint8Array>): Claim {
  const found = toHex(quote.pcrDigest)
  const [only] = quote.selections
  const comparable = only?.pcrs.every((pcr) => values.get(pcr)?.length === 32)
  if (only?.bank !== 'sha256' || quote.selections.length !== 1 || comparable !== true) {
    return notCovered('pcr-digest', 'a value for each quoted PCR', found, 'PCR_VALUE_MISSING')
  }
  const expected = pcrDigest(only, values)
  return claim('pcr-digest', toHex(expected), found, equal(expected, quote.pcrDigest), 'PCR_DIGEST_DIFFERS')
}
