import { fromHex, type Hex } from '../core/bytes.ts'
import { verifyEndorsement, type Endorsement } from '../evidence/endorsement.ts'
import { EvidenceError } from '../evidence/error.ts'
import type { HostRegistered } from '../ledger/event.ts'
import { ASSURANCES } from '../ledger/state.ts'
import { registrationPayload } from '../record/binding.ts'
import { ledgerAddressClaimDigest } from '../record/claim.ts'
import { signerOf } from '../record/eip712.ts'
import { sha256 } from '../record/hash.ts'
import { stringify } from '../record/json.ts'
import { requireAttestationKey } from '../tcg/attestation-key.ts'
import { decodePublic } from '../tcg/public.ts'
import type { AuditCode } from './audit-code.ts'
import type { AuditContext } from './audit-context.ts'
import { directCallOf } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { registeredIdentity } from './host-identity.ts'
import { isFresh, verifyLedgerQuote } from './verify-quote.ts'

/**
 * Verifies that a host is what its registration says: a TPM that a trusted root vouches for, an attestation key fit to attest,
 * and a ledger key that speaks for the same host.
 *
 * The certificate is judged for the time of the registration's block, by today's revocation lists (`checkRevocation` says how).
 *
 * That EK and AK are in one TPM was proven to the registrar alone, by credential activation: the ledger holds no proof of it.
 *
 * @returns what the trust store says of the TPM; undefined where it says nothing
 */
export async function verifyHost(
  context: AuditContext,
  findings: FindingLog,
  event: HostRegistered,
): Promise<Endorsement | undefined> {
  const { hostId, ekPublic, quote } = event.args
  const subject: Subject = { kind: 'host', hostId }
  findings.same('HOST_ID_DIFFERS', subject, 'hostId', sha256(fromHex(ekPublic)), hostId)
  await findings.attempt('AK_UNFIT', subject, 'attestation key', () =>
    requireAttestationKey(decodePublic(fromHex(quote.akPublic))),
  )
  await verifyCall(context, findings, subject, event)
  await verifyRegistrationQuote(context, findings, subject, event)
  return verifyAssurance(context, findings, subject, event)
}

async function verifyAssurance(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  { args: { ekPublic, ekCertificate, assurance }, blockNumber }: HostRegistered,
): Promise<Endorsement | undefined> {
  const endorsement = await findings.attempt(certificateCode, subject, 'EK certificate', async () => {
    const { timestamp } = await context.blockAt(blockNumber)
    const { trustAnchors, hardwareRoots = new Set(), revocation } = context.trust
    return verifyEndorsement({
      ...{ trustAnchors, hardwareRoots },
      ...(revocation && { revocation, revocationLists: revocation.lists }),
      ekPublic: fromHex(ekPublic),
      ekCertificate: fromHex(ekCertificate),
      at: new Date(Number(timestamp) * 1000),
    })
  })
  if (endorsement !== undefined && assurance > ASSURANCES.indexOf(endorsement.assurance)) {
    const found = ASSURANCES[assurance] ?? `${assurance}`
    findings.add('ASSURANCE_OVERSTATED', subject, `expected at most ${endorsement.assurance}, found ${found}`)
  }
  return endorsement
}

/** A certificate that counts for nothing is another thing than a list that cannot be used. */
function certificateCode(error: unknown): AuditCode {
  if (!(error instanceof EvidenceError)) return 'EK_CERTIFICATE_INVALID'
  if (error.code === 'CERTIFICATE_REVOKED') return 'EK_CERTIFICATE_REVOKED'
  return error.code.startsWith('CRL_') ? 'REVOCATION_UNKNOWN' : 'EK_CERTIFICATE_INVALID'
}

async function verifyRegistrationQuote(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  { args: { hostId, ledgerAddress, anchorBlock, quote }, blockNumber }: HostRegistered,
): Promise<void> {
  const { akPublic } = quote
  if (!isFresh(anchorBlock, blockNumber)) {
    findings.add('ANCHOR_STALE', subject, `anchor ${anchorBlock.toString()}, block ${blockNumber.toString()}`)
  }
  await findings.attempt('REGISTRATION_QUOTE_INVALID', subject, 'registration quote', () =>
    verifyLedgerQuote(context, {
      quote,
      akQualifiedName: registeredIdentity(akPublic, ledgerAddress).akQualifiedName,
      purpose: 'register',
      contract: 'hostRegistry',
      hostId,
      payloadHash: registrationPayload(ledgerAddress, fromHex(akPublic)),
      anchorBlock,
    }),
  )
}

/** The address's signature stands in the calldata alone. */
async function verifyCall(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  event: HostRegistered,
): Promise<void> {
  const call = await directCallOf(context, findings, subject, event, 'register')
  if (call === undefined) return
  const { hostId, registrar, assurance, anchorBlock, ekPublic, ekCertificate, ledgerAddress, quote } = event.args
  findings.same('SENDER_WRONG', subject, 'registrar', registrar, call.from)
  const registration = { ekPublic, ekCertificate, ledgerAddress, assurance }
  const { addressSignature, ...called } = call.args
  if (stringify({ registration, anchorBlock, quote }) !== stringify(called)) {
    findings.add('CALLDATA_DIFFERS', subject, 'the registration in the calldata is not the one in the event')
  }
  const digest = ledgerAddressClaimDigest(context.ledger.domain('hostRegistry'), hostId, fromHex(quote.akPublic))
  const signer = signerOf(digest, addressSignature as Hex)
  findings.same('ADDRESS_CLAIM_INVALID', subject, 'signer of the address claim', ledgerAddress, signer)
}
