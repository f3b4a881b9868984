import { equal, toHex, type Hex } from '../core/bytes.ts'
import type { AppraisalPolicy } from './appraisal-policy.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import { compareClock } from './clock.ts'
import { verifyEndorsement } from './endorsement.ts'
import { EvidenceError } from './error.ts'
import type { Evidence } from './evidence.ts'
import type { VerifiedTpmQuote } from './tpm-quote.ts'

/** What the appraiser knows, beside the policy. */
export interface AppraisalContext {
  /** The qualifying data that the appraiser asked for; undefined where it did not ask. */
  readonly nonce?: Uint8Array
  /** The time for which certificates must be valid. */
  readonly at: Date
  /** DER certificates of the trust store. */
  readonly trustAnchors: readonly Uint8Array[]
  /** Fingerprints of the trust store's roots that belong to vendors of hardware. */
  readonly hardwareRoots: ReadonlySet<Hex>
}

/** Claims about who signed the quote, and when: `nonce`, `attestation-key`, `signer`, `clock`, `clock-forward`, `firmware-version`. */
export function appraiseQuote(quote: VerifiedTpmQuote, policy: AppraisalPolicy, context: AppraisalContext): Claim[] {
  return [
    appraiseNonce(quote, policy, context),
    appraiseKey(quote, policy),
    appraisePlace(quote),
    ...appraiseClock(quote, policy),
  ]
}

/** Claims about the TPM's maker: `endorsement`, `assurance`, `manufacturer`. */
export async function appraiseEndorsement(
  evidence: Evidence,
  { tpm }: AppraisalPolicy,
  { at, trustAnchors, hardwareRoots }: AppraisalContext,
): Promise<readonly Claim[]> {
  const { ekPublic, ekCertificate } = evidence.endorsement ?? {}
  const expected = 'an EK certificate that leads to a trusted root'
  if (ekPublic === undefined || ekCertificate === undefined) {
    const code = tpm.assurance === 'none' ? 'NOT_IN_POLICY' : 'ENDORSEMENT_MISSING'
    return [notCovered('endorsement', expected, 'none', code)]
  }
  try {
    const found = await verifyEndorsement({ ekPublic, ekCertificate, trustAnchors, at, hardwareRoots })
    const enough = tpm.assurance !== 'Hardware' || found.assurance === 'Hardware'
    const least = tpm.assurance === 'none' ? 'any' : `at least ${tpm.assurance}`
    return [
      claim('endorsement', expected, `${found.subject}, by ${found.root}`, true, 'ENDORSEMENT_INVALID'),
      claim('assurance', least, found.assurance, enough, 'ASSURANCE_LOW'),
      ...appraiseManufacturer(found.manufacturers, tpm.manufacturers),
    ]
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error
    const found = `${error.message} (${error.code})`
    if (tpm.assurance === 'none') return [notCovered('endorsement', expected, found, 'NOT_IN_POLICY')]
    return [claim('endorsement', expected, found, false, 'ENDORSEMENT_INVALID')]
  }
}

function appraiseManufacturer(found: readonly string[], allowed: readonly string[]): readonly Claim[] {
  if (allowed.length === 0) return []
  const passed = found.length > 0 && found.every((one) => allowed.includes(one))
  return [claim('manufacturer', allowed.join(' or '), found.join(', ') || 'none', passed, 'MANUFACTURER_DIFFERS')]
}

function appraiseNonce({ extraData }: VerifiedTpmQuote, { freshness }: AppraisalPolicy, { nonce }: AppraisalContext) {
  const found = toHex(extraData)
  if (nonce !== undefined) {
    // A quote over another nonce is an old one, or somebody else's.
    return claim('nonce', toHex(nonce), found, equal(nonce, extraData), 'NONCE_DIFFERS')
  }
  const expected = 'the nonce that the quote was asked for with'
  return notCovered('nonce', expected, found, freshness === 'none' ? 'NOT_IN_POLICY' : 'NONCE_MISSING')
}

function appraiseKey({ akName }: VerifiedTpmQuote, { attestationKeys }: AppraisalPolicy): Claim {
  const expected = [...attestationKeys].join(' or ') || 'an attestation key that the policy names; it names none'
  return claim('attestation-key', expected, akName, attestationKeys.has(akName), 'KEY_UNKNOWN')
}

function appraisePlace({ place, qualifiedSigner }: VerifiedTpmQuote): Claim {
  const expected = 'a primary key, or one below the EK'
  if (place === undefined) return notCovered('signer', expected, toHex(qualifiedSigner), 'SIGNER_UNPLACED')
  return claim('signer', expected, place, true, 'SIGNER_UNPLACED')
}

function appraiseClock({ clock, firmwareVersion }: VerifiedTpmQuote, { clock: rules, tpm }: AppraisalPolicy): Claim[] {
  const words = (c: { readonly resetCount: number; readonly restartCount: number; readonly clock: bigint }) =>
    `${c.resetCount} resets, ${c.restartCount} restarts, ${c.clock} ms`
  const claims: Claim[] = []
  const safe = clock.safe ? 'safe' : 'not safe'
  if (rules.requireSafe) claims.push(claim('clock', 'safe', safe, clock.safe, 'CLOCK_UNSAFE'))
  else claims.push(notCovered('clock', 'nothing', safe, 'NOT_IN_POLICY'))
  if (rules.after === undefined) claims.push(notCovered('clock-forward', 'nothing', words(clock), 'NOT_IN_POLICY'))
  else {
    const passed = compareClock(clock, { ...rules.after, safe: true }) > 0
    claims.push(claim('clock-forward', `after ${words(rules.after)}`, words(clock), passed, 'CLOCK_NOT_FORWARD'))
  }
  if (tpm.minFirmware > 0n) {
    const [least, found] = [tpm.minFirmware, firmwareVersion].map((version) => `0x${version.toString(16)}`)
    const passed = firmwareVersion >= tpm.minFirmware
    claims.push(claim('firmware-version', `at least ${least}`, found ?? '', passed, 'FIRMWARE_OLD'))
  }
  return claims
}
