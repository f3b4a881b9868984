import assert from 'node:assert/strict'
import { concat } from '../../src/core/bytes.ts'
import { decodeQuoteAttest } from '../../src/tcg/attest.ts'
import { decodeTpmsQuote } from '../../src/tcg/tpms-attest.ts'
import { attestBytes, QUOTE_PARTS } from './quote-bytes.ts'
import { accepts, refuses } from './refusal.ts'
import { CAPTURES, tpmVector } from './tpm-vectors.ts'

const select = [0, 0x20, 0]

describe('decodeTpmsQuote', () => {
  for (const capture of CAPTURES) {
    it(`says of ${capture} what the ledger's decoder says`, () => {
      const bytes = tpmVector(`${capture}/quote_ecc.attest`)
      const { qualifiedSigner, ...rest } = decodeTpmsQuote(bytes)
      assert.deepEqual(
        { ...rest, qualifiedSigner: qualifiedSigner.slice(2), selections: rest.selections.map((one) => ({ ...one })) },
        decodeQuoteAttest(bytes),
      )
    })
  }

  it('takes what the ledger does not: other nonces, other banks, several of them, other names', () => {
    const sha1Name = concat(Uint8Array.of(0, 4), new Uint8Array(20).fill(1))
    const { extraData, selections, qualifiedSigner, pcrDigest } = decodeTpmsQuote(
      attestBytes({
        qualifiedSigner: sha1Name,
        extraData: new Uint8Array(5),
        selections: [0x0004, 0x000b, 0x000c, 0x000d, 0x0012].map((hash) => ({ hash, select })),
        pcrDigest: new Uint8Array(48),
      }),
    )
    assert.equal(extraData.length, 5)
    assert.deepEqual(
      selections.map(({ bank }) => bank),
      ['sha1', 'sha256', 'sha384', 'sha512', 'sm3_256'],
    )
    assert.deepEqual(qualifiedSigner, sha1Name)
    assert.equal(pcrDigest.length, 48)
    assert.deepEqual(decodeTpmsQuote(attestBytes({ extraData: new Uint8Array() })).extraData.length, 0)
  })

  it('refuses what no quote is, each for its reason', () => {
    refuses('MAGIC', () => decodeTpmsQuote(attestBytes({ magic: 0xff544348 })))
    refuses('TYPE', () => decodeTpmsQuote(attestBytes({ type: 0x8017 })))
    refuses('NAME_ALGORITHM', () => decodeTpmsQuote(attestBytes({ qualifiedSigner: new Uint8Array(34) })))
    refuses('NAME_ALGORITHM', () => decodeTpmsQuote(attestBytes({ qualifiedSigner: new Uint8Array() })))
    refuses('NAME_ALGORITHM', () =>
      decodeTpmsQuote(attestBytes({ qualifiedSigner: concat(QUOTE_PARTS.qualifiedSigner, Uint8Array.of(0)) })),
    )
    refuses('MALFORMED', () => decodeTpmsQuote(attestBytes({ extraData: new Uint8Array(65) })))
    refuses('MALFORMED', () => decodeTpmsQuote(attestBytes({ safe: 2 })))
    refuses('SELECTION_INVALID', () => decodeTpmsQuote(attestBytes({ count: 6 })))
    refuses('SELECTION_INVALID', () => decodeTpmsQuote(attestBytes({ selections: [{ hash: 0xb, select: [1, 2] }] })))
    refuses('SELECTION_BANK', () => decodeTpmsQuote(attestBytes({ selections: [{ hash: 0x27, select }] })))
    refuses('SELECTION_REPEATED', () =>
      decodeTpmsQuote(
        attestBytes({
          selections: [
            { hash: 0xb, select },
            { hash: 0xb, select },
          ],
        }),
      ),
    )
    refuses('DIGEST_LENGTH', () => decodeTpmsQuote(attestBytes({ pcrDigest: new Uint8Array(31) })))
    refuses('MALFORMED', () => decodeTpmsQuote(concat(attestBytes(), Uint8Array.of(0))))
  })

  it('refuses every prefix', () => {
    const bytes = attestBytes()
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(accepts(decodeTpmsQuote, bytes.slice(0, length)), false, `${length} bytes`)
    }
  })
})
