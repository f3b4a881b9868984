import type { Hex } from '../core/bytes.ts'
import type { PcrValues } from '../tcg/bank.ts'
import type { AppraisalPolicy } from './appraisal-policy.ts'
import { appraiseFirmwareLog } from './appraise-firmware-log.ts'
import { appraiseImaLog } from './appraise-ima-log.ts'
import { appraisePcrs } from './appraise-pcrs.ts'
import { appraiseEndorsement, appraiseQuote, type AppraisalContext } from './appraise-tpm.ts'
import { appraiseVmmLog } from './appraise-vmm-log.ts'
import { resultOf, type AttestationResult } from './claim.ts'
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
  const quoted = new Set(quote.selections.find(({ bank }) => bank === policy.bank)?.pcrs ?? [])
  const given = onlyQuoted(evidence.pcrs?.get(policy.bank), quoted)
  const firmware = appraiseFirmwareLog(evidence.eventLog, policy, given, quoted)
  const ima = policy.ima && appraiseImaLog(evidence.imaLog, policy.ima, policy.bank, given)
  const vmm = policy.vmm && appraiseVmmLog(evidence.vmmLog, policy.vmm)
  const explained = new Map<number, Uint8Array>(firmware.values)
  if (policy.ima !== undefined && ima?.value !== undefined) explained.set(policy.ima.pcr, ima.value)
  if (policy.vmm !== undefined && vmm?.value !== undefined) explained.set(policy.vmm.pcr, vmm.value)
  const { ok, claims } = resultOf([
    ...appraiseQuote(quote, policy, context),
    ...(await appraiseEndorsement(evidence, policy, context)),
    ...appraisePcrs(quote, policy, given, explained),
    ...firmware.claims,
    ...(ima?.claims ?? []),
    ...(vmm?.claims ?? []),
  ])
  return { ok, claims, vmmHash: quote.vmmHash }
}

/** A value of a PCR that was not quoted is worth nothing, and is not looked at. */
function onlyQuoted(given: PcrValues | undefined, quoted: ReadonlySet<number>): PcrValues | undefined {
  return given && new Map([...given].filter(([pcr]) => quoted.has(pcr)))
}
