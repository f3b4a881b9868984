import { createECDH, createPrivateKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import type { SignedQuote } from '../../src/evidence/quote.ts'
import { TPM_ALG } from '../../src/tcg/algorithm.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { lowS, P256_ORDER } from '../../src/tcg/p256.ts'
import { PASSWORD } from '../../src/tpm/commands.ts'
import { unwrap, withPrimary } from '../../src/tpm/objects.ts'
import { AK_PARTS, eccPublicBytes, rsaPublicBytes, type EccParts } from '../tcg/public-bytes.ts'
import { attestBytes, QUOTE_PARTS, signerName } from '../tcg/quote-bytes.ts'
import { CAPTURES, hex, scalars, submittedSignature, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { withTss } from '../tpm/tss.ts'

/** What a verifier is asked: a quote, whose it must be, and what it must carry. */
export interface QuoteCase {
  readonly quote: SignedQuote
  readonly akQualifiedName: Uint8Array
  readonly qualifyingData: Uint8Array
}

/** A case that mutations start from. */
export interface Specimen extends QuoteCase {
  readonly name: string
  /** Whether both verifiers must take it. */
  readonly isGood: boolean
  /** Where the key is the test's own: a submitted signature by it. */
  readonly signatureOf?: (attest: Uint8Array) => Uint8Array
  /** Where the key is the test's own, and RSA. */
  readonly privateKey?: KeyObject
}

/** The SHA-256 part of the name that an area would have as a primary key, whatever the area is. */
export function nameOfArea(area: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(concat(fromHex('0x4000000b000b'), sha256(area)))
}

/** Quotes that TPMs made long ago (test/vectors). Those of the captures are by children of the EK, so neither name fits. */
export function capturedSpecimens(): readonly Specimen[] {
  const ofVector = (name: string): Specimen => {
    const vector = JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as Record<
      string,
      string
    >
    const part = (key: string): Uint8Array<ArrayBuffer> => fromHex(vector[key] ?? '0x')
    const signature = 'signature' in vector ? part('signature') : concat(part('r'), part('s'))
    const quote = { akPublic: part('akPublic'), attest: part('attest'), signature }
    return { name, isGood: true, quote, ...claimOf(quote) }
  }
  const ofFiles = (directory: string, ak: string, files: string, isGood: boolean): Specimen => {
    const attest = tpmVector(`${directory}/${files}.attest`)
    const signature = submittedSignature(tpmVector(`${directory}/${files}.sig`))
    const quote = { akPublic: tpmtPublic(`${directory}/${ak}.tpm2b_public`), attest, signature }
    const qualifyingData = hex(tpmVectorText(`${directory}/quote_nonce.hex`).trim())
    return { name: `${directory}/${files}`, isGood, quote, akQualifiedName: nameOfArea(quote.akPublic), qualifyingData }
  }
  const captures = CAPTURES.flatMap((capture) =>
    ['ecc', 'rsa'].map((kind) => ofFiles(capture, `ak_${kind}`, `quote_${kind}`, false)),
  )
  const primary = ofFiles('swtpm-primary-ak', 'ak', 'quote', true)
  const vectors = ['tpm-quote', 'tpm-quote-rsa', 'tpm-quote-rsa-low'].map(ofVector)
  return [...vectors, primary, ...captures]
}

/** Quotes that a TPM makes now: by an ECC and an RSA AK, over one bank and two, and over a PCR that nobody selected. */
export function freshSpecimens(tcti: string): readonly Specimen[] {
  const attributes = AK_PARTS.attributes
  const templates = {
    ecc: eccPublicBytes({ attributes, x: new Uint8Array(), y: new Uint8Array() }),
    rsa: rsaPublicBytes({ attributes, modulus: new Uint8Array() }),
  }
  const selections = {
    sha256: '00000001000b03952000',
    sha384: '00000001000c03002000',
    'two banks': '00000002000b03952000000c03002000',
    'two banks, turned round': '00000002000c03ffff7f000b03000040',
    'nothing of one bank': '00000002000b03000000000c03002000',
  }
  const qualifyingData = sha256(Uint8Array.of(1))
  const data = new Writer().sized16(qualifyingData).finish()
  const keysOwnScheme = new Writer().u16(TPM_ALG.NULL).finish()
  return withTss(tcti, (tss) =>
    Object.entries(templates).flatMap(([kind, template]) =>
      withPrimary(tss, template, ({ handle, public: area }) =>
        Object.entries(selections).map(([what, selection]) => {
          const [attest, signature] = tss.commands.Quote(handle, [PASSWORD], data, keysOwnScheme, hex(selection))
          const quote = {
            akPublic: Uint8Array.from(area),
            attest: Uint8Array.from(unwrap('TPM2B_ATTEST', attest, 1024)),
            signature: submittedSignature(signature),
          }
          return { name: `swtpm, ${kind}, ${what}`, isGood: true, quote, ...claimOf(quote) }
        }),
      ),
    ),
  )
}

/** Quotes by keys of the test's own, which sign anything: also those whose points trip implementations up. */
export function softwareSpecimens(): readonly Specimen[] {
  const ecc = [1n, 2n, 3n, 7n, P256_ORDER - 1n, P256_ORDER - 2n, 0x1234567890abcdefn].map((d) => softwareEcc(d))
  const withPolicy = softwareEcc(99n, { authPolicy: sha256(Uint8Array.of(2)) })
  const bare = softwareEcc(100n, { attributes: 0x00050032 })
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const modulus = Uint8Array.from(Buffer.from(publicKey.export({ format: 'jwk' }).n ?? '', 'base64url'))
  const rsa = (authPolicy: Uint8Array): Specimen => ({
    ...softwareSpecimen('rsa', rsaPublicBytes({ modulus, authPolicy }), (attest) =>
      Uint8Array.from(sign('sha256', attest, privateKey)),
    ),
    privateKey,
  })
  return [...ecc, withPolicy, bare, rsa(new Uint8Array()), rsa(sha256(Uint8Array.of(2)))]
}

function softwareEcc(d: bigint, parts: Partial<EccParts> = {}): Specimen {
  const scalar = Buffer.from(d.toString(16).padStart(64, '0'), 'hex')
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(scalar)
  const point = Uint8Array.from(ecdh.getPublicKey())
  const [x, y] = [point.slice(1, 33), point.slice(33)]
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
  const jwk = { kty: 'EC', crv: 'P-256', x: text(x), y: text(y), d: text(scalar) }
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return softwareSpecimen(`ecc ${d}`, eccPublicBytes({ x, y, ...parts }), (attest) => {
    const signature = sign('sha256', attest, { key, dsaEncoding: 'ieee-p1363' })
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)].map((part) => BigInt(toHex(part)))
    return scalars(r ?? 0n, lowS(s ?? 0n))
  })
}

function softwareSpecimen(
  name: string,
  akPublic: Uint8Array<ArrayBuffer>,
  signatureOf: (attest: Uint8Array) => Uint8Array,
): Specimen {
  const selections = [0x000c, 0x000b].map((hash) => ({ hash, select: [0x95, 0x20, 0x00] }))
  const attest = attestBytes({ ...QUOTE_PARTS, selections, qualifiedSigner: signerName(nameOfArea(akPublic)) })
  const quote = { akPublic, attest, signature: signatureOf(attest) }
  return { name, isGood: true, quote, ...claimOf(quote), signatureOf }
}

/** The name that the key has, and what the quote carries. */
function claimOf({ akPublic, attest }: SignedQuote): Pick<QuoteCase, 'akQualifiedName' | 'qualifyingData'> {
  return { akQualifiedName: nameOfArea(akPublic), qualifyingData: attest.slice(44, 76) }
}
