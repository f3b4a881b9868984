import { toHex, type Hex } from '../core/bytes.ts'
import { requireAttestationKey } from '../tcg/attestation-key.ts'
import { TcgError } from '../tcg/error.ts'
import { HIERARCHIES, nameOf, qualifiedName } from '../tcg/name.ts'
import { decodePublic } from '../tcg/public.ts'
import { decodeTpmsQuote, type TpmsQuote } from '../tcg/tpms-attest.ts'
import { decoded } from './decoded.ts'
import { requireQuoteSignature, type SignedQuote } from './quote.ts'
import { vmmHashOfQuoteInfo } from './vmm-hash.ts'

/** A quote that some key signed. Whose key it is stays to be told. Made by `verifyTpmQuote` alone. */
export interface VerifiedTpmQuote extends TpmsQuote {
  readonly vmmHash: Hex
  /** The attestation key's TPM Name. */
  readonly akName: Hex
  /** Where the key stands in its TPM; undefined where that cannot be told. */
  readonly place: SignerPlace | undefined
}

export type SignerPlace = `primary key, ${keyof typeof HIERARCHIES} hierarchy` | 'below the EK'

/**
 * Verifies a quote as any TPM may make it: signed by this key, which signs nothing but what its TPM made. For evidence that stands by
 * itself; what the ledger takes is less (`verifyQuote`).
 *
 * @param quote untrusted
 * @param ekPublic the EK's TPMT_PUBLIC, to tell a key below it; untrusted
 * @throws EvidenceError `QUOTE_MALFORMED`, `AK_UNSUITABLE`, `QUOTE_SIGNATURE`
 */
export async function verifyTpmQuote(quote: SignedQuote, ekPublic?: Uint8Array): Promise<VerifiedTpmQuote> {
  // Copied once, so that what is verified is what is read even where the caller's buffers change meanwhile.
  const signed = Uint8Array.from(quote.attest)
  const akPublic = Uint8Array.from(quote.akPublic)
  const attest = decoded('QUOTE_MALFORMED', () => decodeTpmsQuote(signed))
  const ak = decoded('AK_UNSUITABLE', () => requireAttestationKey(decodePublic(akPublic)))
  await requireQuoteSignature(ak, signed, Uint8Array.from(quote.signature))
  const place = placeOf(toHex(attest.qualifiedSigner), akPublic, ekPublic)
  return { ...attest, vmmHash: vmmHashOfQuoteInfo(attest.quoteInfo), akName: toHex(nameOf(akPublic)), place }
}

function placeOf(signer: Hex, akPublic: Uint8Array, ekPublic: Uint8Array | undefined): SignerPlace | undefined {
  for (const hierarchy of Object.keys(HIERARCHIES) as (keyof typeof HIERARCHIES)[]) {
    if (toHex(qualifiedName(hierarchy, [akPublic])) === signer) return `primary key, ${hierarchy} hierarchy`
  }
  if (ekPublic === undefined) return undefined
  try {
    return toHex(qualifiedName('endorsement', [ekPublic, akPublic])) === signer ? 'below the EK' : undefined
  } catch (error) {
    // An EK that cannot be read places nothing; its own claim says what is wrong with it.
    if (error instanceof TcgError) return undefined
    throw error
  }
}
