import { fromHex, type Hex } from '../core/bytes.ts'
import type { AttestationKeyReplaced, LedgerAddressReplaced, LedgerAddressRotated } from '../ledger/event.ts'
import { registrationPayload, replacementPayload, rotationPayload } from '../record/binding.ts'
import { addressReplacementDigest, addressRotationDigest, ledgerAddressClaimDigest } from '../record/claim.ts'
import { signerOf } from '../record/eip712.ts'
import { stringify } from '../record/json.ts'
import { requireAttestationKey } from '../tcg/attestation-key.ts'
import { decodePublic } from '../tcg/public.ts'
import type { AuditContext } from './audit-context.ts'
import { directCallOf } from './calldata.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import { registeredIdentity, type HostIdentity } from './host-identity.ts'
import { isFresh, verifyLedgerQuote } from './verify-quote.ts'

/**
 * Verifies that a host's ledger address was changed by the old key, the new key and the TPM together.
 *
 * @param identity the host's before it, undefined where there is none
 */
export async function verifyRotation(
  context: AuditContext,
  findings: FindingLog,
  event: LedgerAddressRotated,
  identity: HostIdentity | undefined,
): Promise<void> {
  const { hostId, from, to, overlapUntil, anchorBlock, quote } = event.args
  const subject: Subject = { kind: 'host', hostId }
  const overlapBlocks = overlapUntil - event.blockNumber
  verifyAnchor(findings, subject, anchorBlock, event.blockNumber)
  await findings.attempt('ROTATION_INVALID', subject, 'quote', () =>
    verifyLedgerQuote(context, {
      quote,
      akQualifiedName: identity?.akQualifiedName ?? '0x',
      purpose: 'rotate-address',
      contract: 'hostRegistry',
      hostId,
      payloadHash: rotationPayload(from, to, overlapBlocks),
      anchorBlock,
    }),
  )
  const call = await directCallOf(context, findings, subject, event, 'rotateAddress')
  if (call === undefined) return
  const { fromSignature, toSignature, ...called } = call.args
  const expected = stringify({ hostId, to, overlapBlocks, anchorBlock, quote })
  findings.same('CALLDATA_DIFFERS', subject, 'rotation', expected, stringify(called))
  const digest = addressRotationDigest(context.ledger.domain('hostRegistry'), { hostId, from, to, overlapBlocks })
  findings.same('ROTATION_INVALID', subject, 'signer for the old address', from, signerOf(digest, fromSignature as Hex))
  findings.same('ROTATION_INVALID', subject, 'signer for the new address', to, signerOf(digest, toSignature as Hex))
}

/**
 * Verifies that a host's ledger address was replaced by a registrar, the new key and the TPM together. That the host was suspended,
 * and the registrar one, the history says.
 *
 * @param identity the host's before it, undefined where there is none
 */
export async function verifyAddressReplacement(
  context: AuditContext,
  findings: FindingLog,
  event: LedgerAddressReplaced,
  identity: HostIdentity | undefined,
): Promise<void> {
  const { hostId, from, to, registrar, anchorBlock, quote } = event.args
  const subject: Subject = { kind: 'host', hostId }
  verifyAnchor(findings, subject, anchorBlock, event.blockNumber)
  await findings.attempt('ROTATION_INVALID', subject, 'quote', () =>
    verifyLedgerQuote(context, {
      quote,
      akQualifiedName: identity?.akQualifiedName ?? '0x',
      purpose: 'replace-address',
      contract: 'hostRegistry',
      hostId,
      payloadHash: replacementPayload(from, to),
      anchorBlock,
    }),
  )
  const call = await directCallOf(context, findings, subject, event, 'replaceAddress')
  if (call === undefined) return
  findings.same('SENDER_WRONG', subject, 'registrar', registrar, call.from)
  const { toSignature, ...called } = call.args
  findings.same(
    'CALLDATA_DIFFERS',
    subject,
    'address',
    stringify({ hostId, to, anchorBlock, quote }),
    stringify(called),
  )
  const digest = addressReplacementDigest(context.ledger.domain('hostRegistry'), { hostId, from, to })
  findings.same('ROTATION_INVALID', subject, 'signer for the new address', to, signerOf(digest, toSignature as Hex))
}

/**
 * Verifies that a host's attestation key was replaced by one that speaks for the same ledger address, with that one's consent. That
 * it is in the TPM of the host's EK was proven to the registrar alone.
 *
 * @param identity the host's before it, undefined where there is none
 */
export async function verifyReplacement(
  context: AuditContext,
  findings: FindingLog,
  event: AttestationKeyReplaced,
  identity: HostIdentity | undefined,
): Promise<void> {
  const { hostId, akQualifiedName, registrar, anchorBlock, quote } = event.args
  const subject: Subject = { kind: 'host', hostId }
  const ledgerAddress = identity?.ledgerAddress ?? '0x'
  const akPublic = fromHex(quote.akPublic)
  await findings.attempt('AK_UNFIT', subject, 'attestation key', () => requireAttestationKey(decodePublic(akPublic)))
  const named = registeredIdentity(quote.akPublic, ledgerAddress).akQualifiedName
  findings.same('AK_UNFIT', subject, 'qualified name', named, akQualifiedName)
  verifyAnchor(findings, subject, anchorBlock, event.blockNumber)
  await findings.attempt('REPLACEMENT_INVALID', subject, 'quote', () =>
    verifyLedgerQuote(context, {
      quote,
      akQualifiedName,
      purpose: 'replace-ak',
      contract: 'hostRegistry',
      hostId,
      payloadHash: registrationPayload(ledgerAddress, akPublic),
      anchorBlock,
    }),
  )
  const call = await directCallOf(context, findings, subject, event, 'replaceAk')
  if (call === undefined) return
  findings.same('SENDER_WRONG', subject, 'registrar', registrar, call.from)
  const { addressSignature, ...called } = call.args
  findings.same('CALLDATA_DIFFERS', subject, 'AK', stringify({ hostId, anchorBlock, quote }), stringify(called))
  const digest = ledgerAddressClaimDigest(context.ledger.domain('hostRegistry'), hostId, akPublic)
  const signer = signerOf(digest, addressSignature as Hex)
  findings.same('REPLACEMENT_INVALID', subject, 'signer of the address claim', ledgerAddress, signer)
}

function verifyAnchor(findings: FindingLog, subject: Subject, anchorBlock: bigint, blockNumber: bigint): void {
  if (isFresh(anchorBlock, blockNumber)) return
  findings.add('ANCHOR_STALE', subject, `anchor ${anchorBlock.toString()}, block ${blockNumber.toString()}`)
}
