import { concat, equal, toHex, type Hex } from '../core/bytes.ts'
import { decodeQuoteAttest, type QuoteAttest, type TpmClock } from '../tcg/attest.ts'
import { requireAttestationKey, type AttestationKey } from '../tcg/attestation-key.ts'
import { TcgError } from '../tcg/error.ts'
import { primaryQualifiedName } from '../tcg/name.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { decodePublic } from '../tcg/public.ts'
import { EvidenceError, type EvidenceErrorCode } from './error.ts'
import { vmmHashOfQuoteInfo } from './vmm-hash.ts'

/** A quote as it travels. Untrusted. */
export interface SignedQuote {
  /** The TPMS_ATTEST. */
  readonly attest: Uint8Array
  /** The ECDSA signature, 32 bytes each. */
  readonly r: Uint8Array
  readonly s: Uint8Array
}

/** What a quote proves about the TPM that holds the AK. Made by `verifyQuote` alone. */
export interface VerifiedQuote {
  readonly vmmHash: Hex
  readonly clock: TpmClock
  readonly selections: readonly PcrSelection[]
  /** SHA-256 over the selected PCRs' values. */
  readonly pcrDigest: Uint8Array
}

const SCALAR = 32

/**
 * Verifies a quote: made by this AK, a primary key of the endorsement hierarchy, over this qualifying data.
 *
 * Both signatures (r, s) and (r, N − s) are taken, as a TPM gives either; the ledger alone insists on the low one. Freshness
 * is what the qualifying data gives: it is the caller's to choose it so that it was never used before.
 *
 * @param quote untrusted
 * @param akPublic the AK's TPMT_PUBLIC; the caller vouches that it is in the host's TPM
 * @param qualifyingData what the quote must commit to, whole
 * @throws EvidenceError `AK_UNSUITABLE`, `QUOTE_MALFORMED`, `QUOTE_SIGNER`, `QUOTE_NONCE`, `QUOTE_SIGNATURE`
 */
export async function verifyQuote(
  quote: SignedQuote,
  akPublic: Uint8Array,
  qualifyingData: Uint8Array,
): Promise<VerifiedQuote> {
  // Copied once, so that what is verified is what is read even where the caller's buffer changes meanwhile.
  const signed = Uint8Array.from(quote.attest)
  const attest = decoded('QUOTE_MALFORMED', () => decodeQuoteAttest(signed))
  const { ak, signer } = decoded('AK_UNSUITABLE', () => ({
    ak: requireAttestationKey(decodePublic(akPublic)),
    signer: primaryQualifiedName(akPublic),
  }))
  expectBytes('QUOTE_SIGNER', 'signer', signer, attest.qualifiedSigner)
  expectBytes('QUOTE_NONCE', 'qualifying data', qualifyingData, attest.extraData)
  await verifySignature(quote, signed, ak)
  return verified(attest)
}

async function verifySignature(
  { r, s }: SignedQuote,
  signed: Uint8Array<ArrayBuffer>,
  ak: AttestationKey,
): Promise<void> {
  if (r.length !== SCALAR || s.length !== SCALAR) {
    throw new EvidenceError('QUOTE_SIGNATURE', `expected r and s of ${SCALAR} bytes, found ${r.length} and ${s.length}`)
  }
  const signature = concat(r, s)
  const key = await importKey(ak)
  if (!(await crypto.subtle.verify({ name: 'ECDSA', hash: 'SHA-256' }, key, signature, signed))) {
    throw new EvidenceError('QUOTE_SIGNATURE', 'the signature is not the attestation key’s over this quote')
  }
}

async function importKey({ x, y }: AttestationKey): Promise<CryptoKey> {
  const point = concat(Uint8Array.of(4), x, y)
  try {
    return await crypto.subtle.importKey('raw', point, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['verify'])
  } catch (cause) {
    throw new EvidenceError('AK_UNSUITABLE', 'the attestation key is no point of P-256', { cause })
  }
}

function verified({ quoteInfo, clock, selections, pcrDigest }: QuoteAttest): VerifiedQuote {
  return { vmmHash: vmmHashOfQuoteInfo(quoteInfo), clock, selections, pcrDigest }
}

function decoded<T>(code: EvidenceErrorCode, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof TcgError) throw new EvidenceError(code, cause.message, { cause })
    throw cause
  }
}

function expectBytes(code: EvidenceErrorCode, what: string, expected: Uint8Array, found: Uint8Array): void {
  if (!equal(expected, found)) {
    throw new EvidenceError(code, `expected the ${what} ${toHex(expected)}, found ${toHex(found)}`)
  }
}
