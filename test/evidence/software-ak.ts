import { toHex } from '../../src/core/bytes.ts'
import type { SignedQuote } from '../../src/evidence/quote.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { lowS } from '../../src/tcg/p256.ts'
import { eccPublicBytes, rsaPublicBytes, type EccParts, type RsaParts } from '../tcg/public-bytes.ts'
import { attestBytes, signerName, type AttestParts } from '../tcg/quote-bytes.ts'
import { scalars } from '../tcg/tpm-vectors.ts'

/** A key that signs whatever a test wants to see refused, and a public area that claims it is an AK. */
export interface SoftwareAk {
  readonly public: Uint8Array<ArrayBuffer>
  /** The SHA-256 part of its qualified name. */
  readonly qualifiedName: Uint8Array<ArrayBuffer>
  /** A quote by this key; its signer is right unless the parts say otherwise. */
  quote(parts?: Partial<AttestParts>): Promise<SignedQuote>
  /** The signature over any bytes. */
  sign(attest: Uint8Array<ArrayBuffer>): Promise<SignedQuote>
}

/** A P-256 key. */
export async function makeSoftwareAk(parts: Partial<EccParts> = {}): Promise<SoftwareAk> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const { publicKey, privateKey } = await crypto.subtle.generateKey(ecdsa, true, ['sign', 'verify'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))
  const area = eccPublicBytes({ x: point.slice(1, 33), y: point.slice(33), ...parts })
  return softwareAk(area, async (attest) => {
    const signature = new Uint8Array(await crypto.subtle.sign(ecdsa, privateKey, attest))
    const [r, s] = [signature.slice(0, 32), signature.slice(32)].map((part) => BigInt(toHex(part)))
    return scalars(r ?? 0n, lowS(s ?? 0n))
  })
}

/** An RSA-2048 key. */
export async function makeSoftwareRsaAk(parts: Partial<RsaParts> = {}): Promise<SoftwareAk> {
  const rsa = {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: 'SHA-256',
  }
  const { publicKey, privateKey } = await crypto.subtle.generateKey(rsa, true, ['sign', 'verify'])
  const { n = '' } = await crypto.subtle.exportKey('jwk', publicKey)
  const area = rsaPublicBytes({ modulus: Uint8Array.from(Buffer.from(n, 'base64url')), ...parts })
  return softwareAk(area, async (attest) => new Uint8Array(await crypto.subtle.sign(rsa, privateKey, attest)))
}

function softwareAk(
  area: Uint8Array<ArrayBuffer>,
  signatureOf: (attest: Uint8Array<ArrayBuffer>) => Promise<Uint8Array<ArrayBuffer>>,
): SoftwareAk {
  const qualifiedName = akQualifiedNameOf(area)
  const sign = async (attest: Uint8Array<ArrayBuffer>) => ({
    akPublic: area,
    attest,
    signature: await signatureOf(attest),
  })
  return {
    public: area,
    qualifiedName,
    sign,
    quote: (changes) => sign(attestBytes({ qualifiedSigner: signerName(qualifiedName), ...changes })),
  }
}
