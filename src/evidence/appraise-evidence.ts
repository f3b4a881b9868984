import type { Hex } from '../core/bytes.ts'
import type { AppraisalPolicy } from './appraisal-policy.ts'
import { appraiseFirmwareLog } from './appraise-firmware-log.ts'
import { appraiseImaLog } from './appraise-ima-log.ts'
import { appraisePcrs, appraiseSelection } from './appraise-pcrs.ts'
import { appraiseEndorsement, appraisePair, appraiseQuote, type AppraisalContext } from './appraise-tpm.ts'
import { appraiseVmmLog } from './appraise-vmm-log.ts'
import { resultOf, type AttestationResult, type Claim } from './claim.ts'
import { confirmValues, unconfirmed } from './confirmed-values.ts'
import type { Evidence } from './evidence.ts'
import { verifyTpmQuote } from './tpm-quote.ts'

/** What evidence comes to under a policy (RFC 9334, "attestation result"). */
export interface EvidenceResult extends AttestationResult {
  /** What the quote shows (docs/formats.md, "Identifiers"). */
  readonly vmmHash: Hex
}

/**
 * Appraises evidence under a policy: who signed, when, and that every PCR that was quoted is what it may be, for a reason that the policy
 * knows.
 *
 * @param evidence untrusted
 * @param policy trusted
 * @throws EvidenceError where the quote cannot be verified: then there is nothing to appraise. A policy that says no is a result
 */
export async function appraiseEvidence(
  evidence: Evidence,
  policy: AppraisalPolicy,
  context: AppraisalContext,
): Promise<EvidenceResult> {
  const quote = await verifyTpmQuote(evidence.quote, evidence.endorsement?.ekPublic)
  const { values, digest } = confirmValues(quote, policy, evidence)
  const quoted = new Set(quote.selections.find(({ bank }) => bank === policy.bank)?.pcrs ?? [])
  const firmware = appraiseFirmwareLog(evidence.eventLog, policy, values, quoted)
  const ima = policy.ima && appraiseImaLog(evidence.imaLog, policy.ima, policy.bank, values, quoted)
  const vmm = policy.vmm && appraiseVmmLog(evidence.vmmLog, policy.vmm)
  const explained = new Map<number, Uint8Array>(firmware.values)
  if (policy.ima !== undefined && ima?.value !== undefined) explained.set(policy.ima.pcr, ima.value)
  if (policy.vmm !== undefined && vmm?.value !== undefined) explained.set(policy.vmm.pcr, vmm.value)
  const claims = [
    ...appraisePcrs(quote, policy, values, explained),
    ...firmware.claims,
    ...(ima?.claims ?? []),
    ...(vmm?.claims ?? []),
  ]
  const { ok, claims: all } = resultOf([
    ...appraiseQuote(quote, policy, context),
    appraisePair(quote, evidence, policy),
    ...(await appraiseEndorsement(evidence, policy, context)),
    appraiseSelection(quote, policy),
    digest,
    ...(digest.status === 'pass' ? claims : claims.map((one) => unconfirmed(hinted(one, evidence, policy), digest))),
  ])
  return { ok, claims: all, vmmHash: quote.vmmHash }
}

/** A log that went on after the quote leads elsewhere as a whole: then only the PCR's value says where to stop. */
function hinted(one: Claim, { pcrs }: Evidence, { bank, ima }: AppraisalPolicy): Claim {
  if (one.name !== 'ima-log' || one.status !== 'pass' || pcrs?.get(bank)?.has(ima?.pcr ?? -1) === true) return one
  return { ...one, found: `${one.found}; if it went on after the quote, give the PCR values (--pcrs)` }
}
