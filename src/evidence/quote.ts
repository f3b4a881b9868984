import { equal, toHex, type Hex } from '../core/bytes.ts'
import { decodeQuoteAttest, type QuoteAttest, type TpmClock } from '../tcg/attest.ts'
import { requireAttestationKey, type AttestationKey } from '../tcg/attestation-key.ts'
import { akQualifiedNameOf } from '../tcg/name.ts'
import { isLowS } from '../tcg/p256.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { decodePublic } from '../tcg/public.ts'
import { decoded } from './decoded.ts'
import { EvidenceError, type EvidenceErrorCode } from './error.ts'
import { publicKeyInfoOf } from './public-key-info.ts'
import { vmmHashOfQuoteInfo } from './vmm-hash.ts'

/** A quote as it travels. Untrusted. */
export interface SignedQuote {
  /** The attestation key's TPMT_PUBLIC. */
  readonly akPublic: Uint8Array
  /** The TPMS_ATTEST. */
  readonly attest: Uint8Array
  /** ECDSA: r ‖ s, 64 bytes, s at most half the group's order (`lowS`). RSASSA: 256 bytes. */
  readonly signature: Uint8Array
}

/** What a quote proves about the TPM that holds the AK. Made by `verifyQuote` alone. */
export interface VerifiedQuote {
  readonly vmmHash: Hex
  readonly clock: TpmClock
  /** They may be empty: see `requireMeaningful`. */
  readonly selections: readonly PcrSelection[]
  /** SHA-256 over the selected PCRs' values. */
  readonly pcrDigest: Uint8Array
}

const SCALAR = 32
const ALGORITHMS = {
  ecdsa: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256', signatureLength: 2 * SCALAR },
  rsassa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', signatureLength: 256 },
}

/**
 * Verifies a quote: made by the AK of this qualified name, over this qualifying data. Takes the quotes that the ledger
 * (contracts/src/TpmQuote.sol) takes, by the same checks in the same order.
 *
 * Freshness is what the qualifying data gives: it is the caller's to choose it so that it was never used before.
 *
 * @param quote untrusted
 * @param akQualifiedName SHA-256 part of the qualified name of a primary key of the endorsement hierarchy, 32 bytes; the caller
 *   vouches that the key is in the host's TPM
 * @param qualifyingData what the quote must commit to, whole, 32 bytes
 * @throws EvidenceError `QUOTE_MALFORMED`, `AK_UNSUITABLE`, `QUOTE_KEY`, `QUOTE_SIGNER`, `QUOTE_NONCE`, `QUOTE_SIGNATURE`
 */
export async function verifyQuote(
  quote: SignedQuote,
  akQualifiedName: Uint8Array,
  qualifyingData: Uint8Array,
): Promise<VerifiedQuote> {
  // Copied once, so that what is verified is what is read even where the caller's buffers change meanwhile.
  const signed = Uint8Array.from(quote.attest)
  const akPublic = Uint8Array.from(quote.akPublic)
  const signature = Uint8Array.from(quote.signature)
  const attest = decoded('QUOTE_MALFORMED', () => decodeQuoteAttest(signed))
  const ak = decoded('AK_UNSUITABLE', () => requireAttestationKey(decodePublic(akPublic)))
  expectBytes('QUOTE_KEY', 'attestation key', akQualifiedName, akQualifiedNameOf(akPublic))
  expectBytes('QUOTE_SIGNER', 'signer', akQualifiedName, attest.qualifiedSigner)
  expectBytes('QUOTE_NONCE', 'qualifying data', qualifyingData, attest.extraData)
  await requireQuoteSignature(ak, signed, signature)
  return verified(attest)
}

/**
 * Requires that an attestation key signed an attest: the last of `verifyQuote`'s checks, which alone proves nothing of who the
 * key belongs to.
 *
 * @param signed the TPMS_ATTEST
 * @param signature untrusted
 * @throws EvidenceError `QUOTE_SIGNATURE`
 */
export async function requireQuoteSignature(
  ak: AttestationKey,
  signed: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<void> {
  if (!(await isSignature(ak, signed, signature))) {
    throw new EvidenceError('QUOTE_SIGNATURE', 'the signature is not the attestation key’s over this quote')
  }
}

async function isSignature(
  ak: AttestationKey,
  signed: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const algorithm = ALGORITHMS[ak.scheme.algorithm]
  if (signature.length !== algorithm.signatureLength) return false
  // Web Crypto takes s and N − s alike.
  if (ak.type === 'ecc' && !isLowS(BigInt(toHex(signature.subarray(SCALAR))))) return false
  const key = await crypto.subtle.importKey('spki', publicKeyInfoOf(ak), algorithm, false, ['verify'])
  return crypto.subtle.verify(algorithm, key, signature, signed)
}

function verified({ quoteInfo, clock, selections, pcrDigest }: QuoteAttest): VerifiedQuote {
  return { vmmHash: vmmHashOfQuoteInfo(quoteInfo), clock, selections, pcrDigest }
}

function expectBytes(code: EvidenceErrorCode, what: string, expected: Uint8Array, found: Uint8Array): void {
  if (!equal(expected, found)) {
    throw new EvidenceError(code, `expected the ${what} ${toHex(expected)}, found ${toHex(found)}`)
  }
}
