import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes.ts'
import { EvidenceError } from '../../src/evidence/error.ts'
import { requireQuoteSignature, verifyQuote } from '../../src/evidence/quote.ts'
import { vmmHash } from '../../src/evidence/vmm-hash.ts'
import { requireAttestationKey } from '../../src/tcg/attestation-key.ts'
import { TcgError } from '../../src/tcg/error.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { P256_ORDER } from '../../src/tcg/p256.ts'
import { decodePublic, OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'
import { AK_PARTS } from '../tcg/public-bytes.ts'
import { QUOTE_PARTS, signerName } from '../tcg/quote-bytes.ts'
import {
  CAPTURES,
  hex,
  scalars,
  sha256Pcrs,
  submittedSignature,
  tpmtPublic,
  tpmVector,
  tpmVectorText,
} from '../tcg/tpm-vectors.ts'
import { refuses } from './refusal.ts'
import { makeSoftwareAk, makeSoftwareRsaAk } from './software-ak.ts'

const NONCE = QUOTE_PARTS.extraData

const real = {
  akPublic: tpmtPublic('swtpm-primary-ak/ak.tpm2b_public'),
  attest: tpmVector('swtpm-primary-ak/quote.attest'),
  signature: submittedSignature(tpmVector('swtpm-primary-ak/quote.sig')),
}
const realName = akQualifiedNameOf(real.akPublic)
const realNonce = hex(tpmVectorText('swtpm-primary-ak/quote_nonce.hex'))

const scalar = (bytes: Uint8Array) => BigInt(toHex(bytes))

describe('verifyQuote', () => {
  it('verifies the quote of a TPM', async () => {
    const verified = await verifyQuote(real, realName, realNonce)
    const selection = { bank: 'sha256' as const, pcrs: [13] }
    assert.deepEqual(verified.selections, [selection])
    assert.equal(verified.vmmHash, vmmHash(selection, sha256Pcrs('swtpm-primary-ak/pcrs.yaml')))
    assert.equal(verified.clock.resetCount, 4)
  })

  for (const make of [makeSoftwareAk, makeSoftwareRsaAk]) {
    it(`verifies a quote by a key of ${make.name}, which only its endorsement gives away`, async () => {
      const ak = await make()
      const { clock, pcrDigest } = await verifyQuote(await ak.quote(), ak.qualifiedName, NONCE)
      assert.deepEqual(clock, { clock: 1000n, resetCount: 3, restartCount: 1, safe: true })
      assert.deepEqual(pcrDigest, QUOTE_PARTS.pcrDigest)
    })
  }

  it('verifies a quote of two banks', async () => {
    const ak = await makeSoftwareAk()
    const select = [0x95, 0x20, 0]
    const selections = [0x000c, 0x000b].map((hash) => ({ hash, select }))
    const pcrs = [0, 2, 4, 7, 13]
    assert.deepEqual((await verifyQuote(await ak.quote({ selections }), ak.qualifiedName, NONCE)).selections, [
      { bank: 'sha384', pcrs },
      { bank: 'sha256', pcrs },
    ])
  })

  it('verifies what the ledger logs too: a quote of nothing', async () => {
    const ak = await makeSoftwareAk()
    const quote = await ak.quote({ selections: [{ hash: 0x000b, select: [0, 0, 0] }] })
    assert.deepEqual((await verifyQuote(quote, ak.qualifiedName, NONCE)).selections, [{ bank: 'sha256', pcrs: [] }])
  })

  for (const capture of CAPTURES) {
    for (const kind of ['ecc', 'rsa']) {
      const akPublic = tpmtPublic(`${capture}/ak_${kind}.tpm2b_public`)
      const attest = tpmVector(`${capture}/quote_${kind}.attest`)
      const signature = submittedSignature(tpmVector(`${capture}/quote_${kind}.sig`))
      const nonce = hex(tpmVectorText(`${capture}/quote_nonce.hex`).trim())

      it(`refuses the ${kind} quote of ${capture}, whose AK is a child of the EK and no primary key`, async () => {
        const quote = { akPublic, attest, signature }
        await refuses('QUOTE_SIGNER', verifyQuote(quote, akQualifiedNameOf(akPublic), nonce))
        await refuses('QUOTE_KEY', verifyQuote(quote, attest.slice(10, 42), nonce))
      })

      it(`finds the signature of that ${kind} quote good`, async () => {
        await requireQuoteSignature(requireAttestationKey(decodePublic(akPublic)), attest, signature)
      })
    }
  }

  it('refuses the high s of the two that would do', async () => {
    const [r, s] = [real.signature.slice(0, 32), real.signature.slice(32)]
    const signature = scalars(scalar(r), P256_ORDER - scalar(s))
    await refuses('QUOTE_SIGNATURE', verifyQuote({ ...real, signature }, realName, realNonce))
  })

  it('refuses what is no quote, and says why', async () => {
    const ak = await makeSoftwareAk()
    const quotes = [
      ak.quote({ magic: 0 }),
      ak.quote({ type: 0x8017 }),
      ak.quote({ selections: [] }),
      ak.quote({ pcrDigest: new Uint8Array(20) }),
      ak.sign(Uint8Array.of(...real.attest, 0)),
    ]
    for (const quote of quotes) {
      await assert.rejects(verifyQuote(await quote, ak.qualifiedName, NONCE), (error) => {
        assert.ok(error instanceof EvidenceError)
        assert.equal(error.code, 'QUOTE_MALFORMED')
        return error.cause instanceof TcgError
      })
    }
  })

  it('refuses a quote by another key, and one that only claims this key', async () => {
    const [ak, other] = [await makeSoftwareAk(), await makeSoftwareAk()]
    await refuses('QUOTE_KEY', verifyQuote(await other.quote(), ak.qualifiedName, NONCE))
    const claimed = await other.quote({ qualifiedSigner: signerName(ak.qualifiedName) })
    await refuses('QUOTE_KEY', verifyQuote(claimed, ak.qualifiedName, NONCE))
    await refuses('QUOTE_SIGNATURE', verifyQuote({ ...claimed, akPublic: ak.public }, ak.qualifiedName, NONCE))
    await refuses('QUOTE_SIGNER', verifyQuote(claimed, other.qualifiedName, NONCE))
  })

  it('refuses other qualifying data, longer and shorter', async () => {
    const ak = await makeSoftwareAk()
    const quote = await ak.quote()
    for (const nonce of [NONCE.with(31, 0), NONCE.subarray(1), Uint8Array.of(...NONCE, 7), new Uint8Array()]) {
      await refuses('QUOTE_NONCE', verifyQuote(quote, ak.qualifiedName, nonce))
    }
  })

  it('refuses an ECDSA signature over another quote, and what is none', async () => {
    const ak = await makeSoftwareAk()
    const [quote, other] = [await ak.quote(), await ak.quote({ clock: 1001n })]
    const [r, s] = [scalar(quote.signature.slice(0, 32)), scalar(quote.signature.slice(32))]
    const signatures = [
      other.signature,
      scalars(s, r),
      scalars(0n, s),
      scalars(r, 0n),
      scalars(r, P256_ORDER),
      scalars(P256_ORDER, s),
      quote.signature.slice(1),
      Uint8Array.of(...quote.signature, 0),
      new Uint8Array(),
    ]
    for (const signature of signatures) {
      await refuses('QUOTE_SIGNATURE', verifyQuote({ ...quote, signature }, ak.qualifiedName, NONCE))
    }
  })

  it('refuses an RSASSA signature over another quote, and what is none', async () => {
    const ak = await makeSoftwareRsaAk()
    const [quote, other] = [await ak.quote(), await ak.quote({ clock: 1001n })]
    const signatures = [
      other.signature,
      new Uint8Array(256),
      ak.public.slice(-256),
      new Uint8Array(256).fill(0xff),
      quote.signature.slice(1),
      Uint8Array.of(0, ...quote.signature),
      new Uint8Array(),
    ]
    for (const signature of signatures) {
      await refuses('QUOTE_SIGNATURE', verifyQuote({ ...quote, signature }, ak.qualifiedName, NONCE))
    }
  })

  it('refuses a change of any byte', async () => {
    const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte))
    for (const part of ['akPublic', 'attest', 'signature'] as const) {
      for (let at = 0; at < real[part].length; at++) {
        const quote = { ...real, [part]: flipped(real[part], at) }
        await assert.rejects(verifyQuote(quote, realName, realNonce), EvidenceError, `${part} ${at}`)
      }
    }
  })

  it('refuses a key that is not restricted, and one that also decrypts', async () => {
    const { attributes } = AK_PARTS
    for (const wrong of [attributes & ~OBJECT_ATTRIBUTES.restricted, attributes | OBJECT_ATTRIBUTES.decrypt]) {
      const ak = await makeSoftwareAk({ attributes: wrong })
      await refuses('AK_UNSUITABLE', verifyQuote(await ak.quote(), ak.qualifiedName, NONCE))
    }
  })

  it('refuses a key that is no point of the curve', async () => {
    const ak = await makeSoftwareAk({ x: new Uint8Array(32).fill(1), y: new Uint8Array(32).fill(1) })
    await refuses('AK_UNSUITABLE', verifyQuote(await ak.quote(), ak.qualifiedName, NONCE))
  })

  it('refuses a public area that cannot be decoded', async () => {
    const quote = { ...real, akPublic: real.akPublic.subarray(1) }
    await refuses('AK_UNSUITABLE', verifyQuote(quote, realName, realNonce))
  })

  it('verifies the bytes as they were when it was called', async () => {
    const buffers = {
      akPublic: Uint8Array.from(real.akPublic),
      attest: Uint8Array.from(real.attest),
      signature: Uint8Array.from(real.signature),
    }
    const verifying = verifyQuote(buffers, realName, realNonce)
    for (const buffer of Object.values(buffers)) buffer.fill(0)
    assert.deepEqual((await verifying).pcrDigest, real.attest.slice(-32))
  })

  it('throws nothing but EvidenceError, whatever the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('akPublic', 'attest', 'signature'),
        async (bytes, part) => {
          await assert.rejects(verifyQuote({ ...real, [part]: bytes }, realName, realNonce), EvidenceError)
        },
      ),
    )
  })
})
