import { fromHex, type Hex } from '../core/bytes.ts'
import { appraise, type Appraisal } from '../evidence/appraise.ts'
import { claim, resultOf, type AttestationResult } from '../evidence/claim.ts'
import { vmmHashOfQuoteInfo } from '../evidence/vmm-hash.ts'
import { INTERFACES } from '../ledger/abi.ts'
import { decodeValues } from '../ledger/abi-value.ts'
import { sha256 } from '../record/hash.ts'
import { decodeQuoteInfo } from '../tcg/attest.ts'
import type { PcrValues } from '../tcg/bank.ts'
import { decodeCanonicalLog, type LoggedEvent } from '../tcg/canonical-event-log.ts'
import { openContext, type AuditContext } from './audit-context.ts'
import { AuditError } from './error.ts'
import { identitiesOf } from './host-identity.ts'
import { inOrder } from './read-events.ts'
import type { LedgerReader } from './ledger-reader.ts'
import { verifyProposalQuote } from './verify-quote.ts'

interface Proposed {
  readonly quote: Appraisal['quote']
  readonly manifestHash: Hex
}

/** A proposal on the ledger, held against the log that is said to explain it. */
export interface AppraisedProposal extends AttestationResult {
  /** What was measured, as the log tells it: true where `ok`. */
  readonly log: readonly LoggedEvent[]
}

/**
 * What an approver wants to know before approving: that the quote with which a VMM was proposed is authentic, and that every
 * PCR in it is explained by the event log or the values at hand. Of a predicted VMM there is no quote: then the same for what
 * was entered in its place, which must be what the log and the values give.
 *
 * @param logBytes the host's canonical event log; untrusted
 * @param references by PCR the values of the others, which the approver takes for good; 32 bytes each
 * @throws AuditError `PROPOSAL_UNKNOWN`; EvidenceError where the quote is not authentic; TcgError for a malformed log;
 * LedgerError
 */
export async function appraiseProposal(
  ledger: LedgerReader,
  vmmHash: Hex,
  logBytes: Uint8Array,
  references: PcrValues = new Map(),
): Promise<AppraisedProposal> {
  const context = await openContext(ledger, { trustAnchors: [] })
  const log = decodeCanonicalLog(logBytes)
  const { quote, manifestHash } = await proposalOf(context, vmmHash)
  const pcr = log[0]?.pcr ?? 0
  const { claims } = appraise({ quote, authorised: new Set([vmmHash]), log, pcr, references })
  const found = sha256(logBytes)
  const manifest = claim('manifest', manifestHash, found, found === manifestHash, 'MANIFEST_DIFFERS')
  return { ...resultOf([manifest, ...claims]), log }
}

/** The latest proposal: its quote, verified against the AK in its host's registration, or what was predicted of one. */
async function proposalOf(context: AuditContext, vmmHash: Hex): Promise<Proposed> {
  const { ledger, to } = context
  const from = ledger.deployment.block
  const proposals = await ledger.logs('vmmRegistry', from, to.number)
  const event = proposals.findLast((one) => one.name === 'VmmProposed' && one.args.vmmHash === vmmHash)
  if (event?.name !== 'VmmProposed') {
    throw new AuditError('PROPOSAL_UNKNOWN', `nobody has proposed the VMM ${vmmHash} on this ledger`)
  }
  const { manifestHash } = event.args
  if (BigInt(event.args.hostId) === 0n) {
    const attested = fromHex(event.args.attested)
    return { quote: { ...decodeQuoteInfo(attested), vmmHash: vmmHashOfQuoteInfo(attested) }, manifestHash }
  }
  const hosts = await ledger.logs('hostRegistry', from, to.number)
  const identity = identitiesOf([...hosts, event].sort(inOrder)).get(event)
  const transaction = await ledger.transaction(event.transactionHash)
  const propose = INTERFACES.vmmRegistry.getFunction('propose')
  if (identity === undefined || transaction === undefined || propose === null) {
    throw new AuditError('PROPOSAL_UNKNOWN', `the node does not give the proposal of ${vmmHash} whole`)
  }
  const args = decodeValues(propose.inputs, `0x${transaction.input.slice(10)}`)
  const verified = await verifyProposalQuote(context, identity.akQualifiedName, event.args, args)
  return { quote: verified, manifestHash }
}
