import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { verifyQuote, type SignedQuote } from '../../src/evidence/quote.ts'
import { vmmHash } from '../../src/evidence/vmm-hash.ts'
import { TcgError } from '../../src/tcg/error.ts'
import { OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'
import { AK_PARTS } from '../tcg/public-bytes.ts'
import { QUOTE_PARTS } from '../tcg/quote-bytes.ts'
import { CAPTURES, hex, sha256Pcrs, tpmtPublic, tpmVector, tpmVectorText } from '../tcg/tpm-vectors.ts'
import { refuses } from './refusal.ts'
import { makeSoftwareAk } from './software-ak.ts'

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const NONCE = QUOTE_PARTS.extraData

const real = {
  ak: tpmtPublic('swtpm-primary-ak/ak.tpm2b_public'),
  quote: signedQuote('swtpm-primary-ak/quote.attest', 'swtpm-primary-ak/quote.sig'),
  nonce: hex(tpmVectorText('swtpm-primary-ak/quote_nonce.hex')),
}

/** A TPMT_SIGNATURE by ECDSA with 32 bytes each for r and s. */
function signedQuote(attest: string, signature: string): SignedQuote {
  const bytes = tpmVector(signature)
  assert.equal(toHex(bytes.slice(0, 6)), '0x0018000b0020')
  return { attest: tpmVector(attest), r: bytes.slice(6, 38), s: bytes.slice(40) }
}

const scalar = (value: bigint) => fromHex(`0x${value.toString(16).padStart(64, '0')}`, 32)

describe('verifyQuote', () => {
  it('verifies the quote of a TPM', async () => {
    const verified = await verifyQuote(real.quote, real.ak, real.nonce)
    const selection = { bank: 'sha256' as const, pcrs: [13] }
    assert.deepEqual(verified.selections, [selection])
    assert.equal(verified.vmmHash, vmmHash(selection, sha256Pcrs('swtpm-primary-ak/pcrs.yaml')))
    assert.equal(verified.clock.resetCount, 4)
  })

  it('takes a low and a high s alike, as TPMs give both', async () => {
    const { r, s } = real.quote
    const other = scalar(ORDER - BigInt(toHex(s)))
    assert.equal(
      (await verifyQuote({ ...real.quote, s: other }, real.ak, real.nonce)).vmmHash,
      (await verifyQuote({ ...real.quote, r, s }, real.ak, real.nonce)).vmmHash,
    )
  })

  it('verifies a quote by a software key, which only its endorsement gives away', async () => {
    const ak = await makeSoftwareAk()
    const { clock, pcrDigest } = await verifyQuote(await ak.quote(), ak.public, NONCE)
    assert.deepEqual(clock, { clock: 1000n, resetCount: 3, restartCount: 1, safe: true })
    assert.deepEqual(pcrDigest, QUOTE_PARTS.pcrDigest)
  })

  for (const capture of CAPTURES) {
    it(`refuses ${capture}, whose AK is a child of the EK and no primary key`, async () => {
      const quote = signedQuote(`${capture}/quote_ecc.attest`, `${capture}/quote_ecc.sig`)
      const nonce = hex(tpmVectorText(`${capture}/quote_nonce.hex`).trim())
      await refuses('QUOTE_SIGNER', verifyQuote(quote, tpmtPublic(`${capture}/ak_ecc.tpm2b_public`), nonce))
    })
  }

  it('refuses what is no quote, and says why', async () => {
    const ak = await makeSoftwareAk()
    const quotes = [
      ak.quote({ magic: 0 }),
      ak.quote({ type: 0x8017 }),
      ak.quote({ selections: [] }),
      ak.quote({ pcrDigest: new Uint8Array(20) }),
      ak.sign(Uint8Array.of(...real.quote.attest, 0)),
    ]
    for (const quote of quotes) {
      await assert.rejects(verifyQuote(await quote, ak.public, NONCE), (error) => {
        assert.ok(error instanceof EvidenceError)
        assert.equal(error.code, 'QUOTE_MALFORMED')
        return error.cause instanceof TcgError
      })
    }
  })

  it('refuses a quote by another key', async () => {
    const [ak, other] = [await makeSoftwareAk(), await makeSoftwareAk()]
    await refuses('QUOTE_SIGNER', verifyQuote(await other.quote(), ak.public, NONCE))
  })

  it('refuses other qualifying data, longer and shorter', async () => {
    const ak = await makeSoftwareAk()
    const quote = await ak.quote()
    for (const nonce of [NONCE.with(31, 0), NONCE.subarray(1), Uint8Array.of(...NONCE, 7), new Uint8Array()]) {
      await refuses('QUOTE_NONCE', verifyQuote(quote, ak.public, nonce))
    }
  })

  it('refuses a signature over another quote, and one that is none', async () => {
    const ak = await makeSoftwareAk()
    const [quote, other] = [await ak.quote(), await ak.quote({ clock: 1001n })]
    const zero = new Uint8Array(32)
    const signatures = [
      { r: other.r, s: other.s },
      { r: quote.s, s: quote.r },
      { r: zero, s: quote.s },
      { r: quote.r, s: zero },
      { r: quote.r, s: scalar(ORDER) },
      { r: quote.r.subarray(1), s: quote.s },
      { r: quote.r, s: Uint8Array.of(0, ...quote.s) },
    ]
    for (const { r, s } of signatures) {
      await refuses('QUOTE_SIGNATURE', verifyQuote({ attest: quote.attest, r, s }, ak.public, NONCE))
    }
  })

  it('refuses a change of any byte', async () => {
    for (let at = 0; at < real.quote.attest.length; at++) {
      const attest = real.quote.attest.map((byte, i) => (i === at ? byte ^ 1 : byte))
      await assert.rejects(verifyQuote({ ...real.quote, attest }, real.ak, real.nonce), EvidenceError, `byte ${at}`)
    }
  })

  it('refuses a key that is not restricted, and one that also decrypts', async () => {
    const { attributes } = AK_PARTS
    for (const wrong of [attributes & ~OBJECT_ATTRIBUTES.restricted, attributes | OBJECT_ATTRIBUTES.decrypt]) {
      const ak = await makeSoftwareAk({ attributes: wrong })
      await refuses('AK_UNSUITABLE', verifyQuote(await ak.quote(), ak.public, NONCE))
    }
  })

  it('refuses a key that is no point of the curve', async () => {
    const ak = await makeSoftwareAk({ x: new Uint8Array(32).fill(1), y: new Uint8Array(32).fill(1) })
    await refuses('AK_UNSUITABLE', verifyQuote(await ak.quote(), ak.public, NONCE))
  })

  it('refuses a public area that cannot be decoded', async () => {
    await refuses('AK_UNSUITABLE', verifyQuote(real.quote, real.ak.subarray(1), real.nonce))
  })

  it('verifies the bytes as they were when it was called', async () => {
    const attest = Uint8Array.from(real.quote.attest)
    const verifying = verifyQuote({ ...real.quote, attest }, real.ak, real.nonce)
    attest.fill(0)
    assert.deepEqual((await verifying).pcrDigest, real.quote.attest.slice(-32))
  })

  it('throws nothing but EvidenceError, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 150 }), fc.uint8Array({ maxLength: 40 }), async (attest, part) => {
        const quote = { attest, r: part, s: part }
        await assert.rejects(verifyQuote(quote, real.ak, real.nonce), EvidenceError)
        await assert.rejects(verifyQuote({ ...real.quote, r: part }, real.ak, real.nonce), EvidenceError)
        await assert.rejects(verifyQuote(real.quote, attest, real.nonce), EvidenceError)
      }),
    )
  })
})
