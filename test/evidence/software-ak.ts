import { primaryQualifiedName } from '../../src/tcg/name.ts'
import type { SignedQuote } from '../../src/evidence/quote.ts'
import { eccPublicBytes, type EccParts } from '../tcg/public-bytes.ts'
import { attestBytes, type AttestParts } from '../tcg/quote-bytes.ts'

/** A P-256 key that signs whatever a test wants to see refused, and a public area that claims it is an AK. */
export interface SoftwareAk {
  readonly public: Uint8Array<ArrayBuffer>
  /** A quote by this key; its signer is right unless the parts say otherwise. */
  quote(parts?: Partial<AttestParts>): Promise<SignedQuote>
  /** The signature over any bytes. */
  sign(attest: Uint8Array<ArrayBuffer>): Promise<SignedQuote>
}

export async function makeSoftwareAk(parts: Partial<EccParts> = {}): Promise<SoftwareAk> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))
  const area = eccPublicBytes({ x: point.slice(1, 33), y: point.slice(33), ...parts })
  const sign = async (attest: Uint8Array<ArrayBuffer>) => {
    const signature = new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, privateKey, attest))
    return { attest, r: signature.slice(0, 32), s: signature.slice(32) }
  }
  return {
    public: area,
    sign,
    quote: (changes) => sign(attestBytes({ qualifiedSigner: primaryQualifiedName(area), ...changes })),
  }
}
