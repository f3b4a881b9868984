import { equal, toHex, type Hex } from '../core/bytes.ts'
import { sha256 } from '../tcg/hash.ts'
import type { AppraisalPolicy, TpmRules } from './appraisal-policy.ts'
import { claim, notCovered, type Claim } from './claim.ts'
import { compareClock } from './clock.ts'
import { verifyEndorsement, type Endorsement } from './endorsement.ts'
import { EvidenceError } from './error.ts'
import type { Evidence } from './evidence.ts'
import type { VerifiedTpmQuote } from './tpm-quote.ts'

/** What the appraiser knows, beside the policy. */
export interface AppraisalContext {
  /** The qualifying data that the appraiser asked for; undefined, or empty, where it did not ask. */
  readonly nonce?: Uint8Array
  /** The time for which certificates must be valid. */
  readonly at: Date
  /** DER certificates of the trust store. */
  readonly trustAnchors: readonly Uint8Array[]
  /** Revocation lists of the trust store, and the least number that each issuer's may have. */
  readonly revocationLists?: readonly Uint8Array[]
  readonly leastNumbers?: ReadonlyMap<string, bigint>
  /** Fingerprints of the trust store's roots that belong to vendors of hardware. */
  readonly hardwareRoots: ReadonlySet<Hex>
}

/** Claims about who signed the quote, and when: `nonce`, `attestation-key`, `signer`, `clock`, `clock-forward`, `firmware-version`. */
export function appraiseQuote(quote: VerifiedTpmQuote, policy: AppraisalPolicy, context: AppraisalContext): Claim[] {
  return [
    appraiseNonce(quote, policy, context),
    appraiseKey(quote, policy),
    appraisePlace(quote, policy),
    ...appraiseClock(quote, policy),
  ]
}

/**
 * The claim `attestation-key-ek`: that the EK of this evidence is the one with which the attestation key was enrolled. Without it a
 * key without any TPM could be shown beside another machine's EK and certificate, both of which are public.
 */
export function appraisePair(
  { akName }: VerifiedTpmQuote,
  { endorsement }: Evidence,
  { attestationKeys, tpm }: AppraisalPolicy,
): Claim {
  const [name, enrolled] = ['attestation-key-ek', attestationKeys.get(akName)]
  const shown = endorsement && toHex(sha256(endorsement.ekPublic))
  const [expected, found] = [enrolled ?? 'the EK that was enrolled with this key', shown ?? 'none']
  if (!attestationKeys.has(akName)) return notCovered(name, expected, found, 'KEY_UNKNOWN')
  if (tpm.assurance === 'none' && (enrolled === undefined || shown === undefined)) {
    return notCovered(name, expected, found, 'NOT_IN_POLICY')
  }
  return claim(name, expected, found, enrolled !== undefined && shown === enrolled, 'EK_DIFFERS')
}

/** Claims about the TPM's maker: `endorsement`, `assurance`, `revocation`, `tpm-weakness`, `manufacturer`. */
export async function appraiseEndorsement(
  evidence: Evidence,
  { tpm }: AppraisalPolicy,
  context: AppraisalContext,
): Promise<readonly Claim[]> {
  const { ekPublic, ekCertificate, intermediates = [] } = evidence.endorsement ?? {}
  const expected = 'an EK certificate that leads to a trusted root'
  if (ekPublic === undefined || ekCertificate === undefined) {
    const code = tpm.assurance === 'none' ? 'NOT_IN_POLICY' : 'ENDORSEMENT_MISSING'
    return [notCovered('endorsement', expected, 'none', code)]
  }
  try {
    const { at, trustAnchors, hardwareRoots, revocationLists = [], leastNumbers = new Map() } = context
    const revocation = { required: tpm.requireRevocation, leastNumbers }
    const from = { trustAnchors, hardwareRoots, revocationLists, revocation, at }
    const found = await verifyEndorsement({ ekPublic, ekCertificate, intermediates, ...from })
    const enough = tpm.assurance !== 'Hardware' || found.assurance === 'Hardware'
    const least = tpm.assurance === 'none' ? 'any' : `at least ${tpm.assurance}`
    return [
      claim('endorsement', expected, `${found.subject}, by ${found.root}`, true, 'ENDORSEMENT_INVALID'),
      claim('assurance', least, found.assurance, enough, 'ASSURANCE_LOW'),
      appraiseRevocation(found),
      appraiseWeakness(found, tpm.knownWeaknesses),
      ...appraiseManufacturer(found.tpm?.vendorId, tpm.manufacturers),
    ]
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error
    const found = `${error.message} (${error.code})`
    if (tpm.assurance === 'none') return [notCovered('endorsement', expected, found, 'NOT_IN_POLICY')]
    return [claim('endorsement', expected, found, false, 'ENDORSEMENT_INVALID')]
  }
}

/** What was revoked, or has no list where the policy wants one, was refused before. */
function appraiseRevocation({ revocation }: Endorsement): Claim {
  const without = revocation.filter(({ status }) => status !== 'good').map(({ subject }) => subject)
  const expected = 'not on its issuer’s revocation list'
  if (without.length === 0) return claim('revocation', expected, 'on none', true, 'ENDORSEMENT_INVALID')
  return notCovered('revocation', expected, `no list for ${without.join(', ')}`, 'NOT_IN_POLICY')
}

function appraiseWeakness({ findings }: Endorsement, known: TpmRules['knownWeaknesses']): Claim {
  const found = findings.map(({ code, detail }) => `${detail} (${code})`).join('; ') || 'none'
  if (findings.length > 0 && known === 'allow') return notCovered('tpm-weakness', 'nothing', found, 'NOT_IN_POLICY')
  return claim('tpm-weakness', 'none that is known', found, findings.length === 0, 'TPM_WEAK')
}

function appraiseManufacturer(vendorId: string | undefined, allowed: readonly string[]): readonly Claim[] {
  if (allowed.length === 0) return []
  const found = vendorId === undefined ? 'none' : `id:${vendorId}`
  return [claim('manufacturer', allowed.join(' or '), found, allowed.includes(found), 'MANUFACTURER_DIFFERS')]
}

function appraiseNonce({ extraData }: VerifiedTpmQuote, { freshness }: AppraisalPolicy, { nonce }: AppraisalContext) {
  const found = toHex(extraData)
  // An empty nonce asks for nothing: every quote that was made without one has it.
  if (nonce !== undefined && nonce.length > 0) {
    // A quote over another nonce is an old one, or somebody else's.
    return claim('nonce', toHex(nonce), found, equal(nonce, extraData), 'NONCE_DIFFERS')
  }
  const expected = 'the nonce that the quote was asked for with'
  return notCovered('nonce', expected, found, freshness === 'none' ? 'NOT_IN_POLICY' : 'NONCE_MISSING')
}

function appraiseKey({ akName }: VerifiedTpmQuote, { attestationKeys }: AppraisalPolicy): Claim {
  const expected = [...attestationKeys.keys()].join(' or ') || 'an attestation key that the policy names; it names none'
  return claim('attestation-key', expected, akName, attestationKeys.has(akName), 'KEY_UNKNOWN')
}

/** What a key says of its own place is worth what the key is: one that nobody enrolled may say anything. */
function appraisePlace({ akName, place, qualifiedSigner }: VerifiedTpmQuote, { attestationKeys }: AppraisalPolicy) {
  const expected = 'a primary key, or one below the EK'
  if (!attestationKeys.has(akName)) {
    return notCovered('signer', `${expected}, by a key that is enrolled`, toHex(qualifiedSigner), 'KEY_UNKNOWN')
  }
  if (place === undefined) return notCovered('signer', expected, toHex(qualifiedSigner), 'SIGNER_UNPLACED')
  return claim('signer', expected, place, true, 'SIGNER_UNPLACED')
}

function appraiseClock(quote: VerifiedTpmQuote, { clock: rules, tpm }: AppraisalPolicy): Claim[] {
  const { clock, firmwareVersion } = quote
  const safe = clock.safe ? 'safe' : 'not safe'
  const claims = [
    rules.requireSafe
      ? claim('clock', 'safe', safe, clock.safe, 'CLOCK_UNSAFE')
      : notCovered('clock', 'nothing', safe, 'NOT_IN_POLICY'),
  ]
  if (rules.after === undefined) {
    claims.push(notCovered('clock-forward', 'nothing', clockText(clock), 'NOT_IN_POLICY'))
  } else {
    const passed = compareClock(clock, { ...rules.after, safe: true }) > 0
    const forward = claim(
      'clock-forward',
      `after ${clockText(rules.after)}`,
      clockText(clock),
      passed,
      'CLOCK_NOT_FORWARD',
    )
    claims.push(plain(quote, forward))
  }
  if (tpm.minFirmware > 0n) {
    const [least, found] = [tpm.minFirmware, firmwareVersion].map((version) => `0x${version.toString(16)}`)
    const passed = firmwareVersion >= tpm.minFirmware
    claims.push(plain(quote, claim('firmware-version', `at least ${least}`, found ?? '', passed, 'FIRMWARE_OLD')))
  }
  return claims
}

function clockText(clock: {
  readonly resetCount: number
  readonly restartCount: number
  readonly clock: bigint
}): string {
  return `${clock.resetCount} resets, ${clock.restartCount} restarts, ${clock.clock} ms`
}

/**
 * Only a key of the endorsement or platform hierarchy is told the true resets, restarts and firmware version; for any other the TPM adds
 * a number that is the key's own (TPM 2.0 Part 1, 36.7), so that neither yes nor no can be said.
 */
function plain({ place }: VerifiedTpmQuote, of: Claim): Claim {
  if (place !== undefined && place !== 'primary key, owner hierarchy') return of
  const seen = `${of.found}, obfuscated unless the key is in the endorsement or platform hierarchy`
  return notCovered(of.name, of.expected, seen, 'CLOCK_OBFUSCATED')
}
