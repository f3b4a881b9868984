import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes.ts'
import { decodeQuoteAttest, decodeQuoteInfo } from '../../src/tcg/attest.ts'
import { attestBytes, signerName } from './quote-bytes.ts'
import { accepts, refuses } from './refusal.ts'
import { CAPTURES, hex, tpmVector, tpmVectorText, transcriptValue } from './tpm-vectors.ts'

const SHA256 = 0x000b
const SHA384 = 0x000c
const TWO_BANKS = { selections: [SHA256, SHA384].map((hash) => ({ hash, select: [0, 0x20, 0] })) }

describe('decodeQuoteAttest', () => {
  for (const capture of CAPTURES) {
    it(`decodes the quote of ${capture}`, () => {
      const bytes = tpmVector(`${capture}/quote_ecc.attest`)
      const attest = decodeQuoteAttest(bytes)
      assert.deepEqual(
        attest.qualifiedSigner,
        hex(transcriptValue(`${capture}/ak_ecc.yaml`, 'qualified name')).slice(2),
      )
      assert.deepEqual(attest.extraData, hex(tpmVectorText(`${capture}/quote_nonce.hex`).trim()))
      assert.deepEqual(attest.selections, [{ bank: 'sha256', pcrs: Array.from({ length: 15 }, (_, pcr) => pcr) }])
      assert.equal(attest.firmwareVersion, 0x2019102300163636n)
      assert.equal(attest.clock.safe, true)
      assert.deepEqual(attest.quoteInfo, bytes.slice(-44))
      assert.deepEqual(attest.pcrDigest, bytes.slice(-32))
    })
  }

  it('reads the clock', () => {
    const { clock } = decodeQuoteAttest(tpmVector('02-ovmf-cmdline-vmm-changed/quote_ecc.attest'))
    assert.deepEqual(clock, { clock: 0xcf75n, resetCount: 3, restartCount: 0, safe: true })
    const largest = { clock: 2n ** 64n - 1n, resetCount: 2 ** 32 - 1, restartCount: 2 ** 32 - 1 }
    assert.deepEqual(decodeQuoteAttest(attestBytes({ ...largest, safe: 0 })).clock, { ...largest, safe: false })
  })

  it('decodes what was written, whatever it was', () => {
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const select = fc.uint8Array({ minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(digest, digest, fc.bigInt(0n, 2n ** 64n - 1n), select, (signer, extraData, clock, bytes) => {
        const written = attestBytes({
          qualifiedSigner: signerName(signer),
          extraData,
          clock,
          selections: [{ hash: SHA256, select: [...bytes] }],
        })
        const attest = decodeQuoteAttest(written)
        const [selection] = attest.selections
        const pcrs = Array.from({ length: 24 }, (_, pcr) => pcr).filter(
          (pcr) => ((bytes[pcr >> 3] ?? 0) >> (pcr & 7)) & 1,
        )
        assert.equal(toHex(attest.qualifiedSigner), toHex(signer))
        assert.equal(toHex(attest.extraData), toHex(extraData))
        assert.equal(attest.clock.clock, clock)
        assert.deepEqual(selection?.pcrs, pcrs)
      }),
    )
  })

  it('refuses every prefix of a quote', () => {
    const bytes = tpmVector('01-ovmf-baseline/quote_ecc.attest')
    for (let length = 0; length < bytes.length; length++) {
      refuses('LENGTH', () => decodeQuoteAttest(bytes.subarray(0, length)))
    }
  })

  it('refuses a trailing byte', () => {
    refuses('LENGTH', () => decodeQuoteAttest(Uint8Array.of(...attestBytes(), 0)))
    refuses('LENGTH', () => decodeQuoteAttest(Uint8Array.of(...attestBytes(TWO_BANKS), 0)))
  })

  it('refuses what no TPM made', () => {
    refuses('MAGIC', () => decodeQuoteAttest(attestBytes({ magic: 0xff544348 })))
  })

  it('refuses an attestation that is no quote', () => {
    refuses('TYPE', () => decodeQuoteAttest(attestBytes({ type: 0x8017 })))
  })

  it('refuses a signer or qualifying data of another length, and a signer’s name by another hash', () => {
    for (const one of [0, 1]) {
      const [qualifiedSigner, extraData] = [new Uint8Array(33 + 2 * one), new Uint8Array(33 - 2 * one)]
      refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ qualifiedSigner, extraData })))
    }
    refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ qualifiedSigner: new Uint8Array(34) })))
    refuses('LENGTH', () => decodeQuoteAttest(attestBytes({ extraData: new Uint8Array(64) })))
  })

  it('refuses a clock that is neither safe nor unsafe', () => {
    refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ safe: 2 })))
  })

  it('reads two banks, in either order, and selections of nothing', () => {
    const { selections } = TWO_BANKS
    for (const order of [selections, selections.toReversed()]) {
      const read = decodeQuoteAttest(attestBytes({ selections: order })).selections
      const expected = order.map(({ hash }) => ({ bank: hash === SHA256 ? 'sha256' : 'sha384', pcrs: [13] }))
      assert.deepEqual(read, expected)
    }
    const nothing = attestBytes({ selections: [{ hash: SHA256, select: [0, 0, 0] }] })
    assert.deepEqual(decodeQuoteAttest(nothing).selections, [{ bank: 'sha256', pcrs: [] }])
  })

  it('refuses a count of selections that is not theirs, another bank, one bank twice, and other select bytes', () => {
    const select = [0, 0x20, 0]
    const [sha256, sha384, sha1] = [SHA256, SHA384, 0x0004].map((hash) => ({ hash, select }))
    assert.ok(sha256 && sha384 && sha1)
    refuses('LENGTH', () => decodeQuoteAttest(attestBytes({ selections: [] })))
    refuses('SELECTION_INVALID', () => decodeQuoteAttest(attestBytes({ count: 2 })))
    refuses('SELECTION_INVALID', () => decodeQuoteAttest(attestBytes({ ...TWO_BANKS, count: 1 })))
    refuses('SELECTION_BANK', () => decodeQuoteAttest(attestBytes({ selections: [sha1] })))
    refuses('SELECTION_BANK', () => decodeQuoteAttest(attestBytes({ selections: [sha256, sha1] })))
    refuses('SELECTION_REPEATED', () => decodeQuoteAttest(attestBytes({ selections: [sha384, sha384] })))
    const [short, long] = [
      [0, 0x20],
      [0, 0x20, 0, 0],
    ].map((bytes) => ({ hash: SHA256, select: bytes }))
    assert.ok(short && long)
    refuses('SELECTION_INVALID', () =>
      decodeQuoteAttest(attestBytes({ selections: [short, { ...long, hash: SHA384 }] })),
    )
  })

  it('refuses a PCR digest that is not SHA-256’s', () => {
    const bytes = attestBytes()
    refuses('DIGEST_LENGTH', () => decodeQuoteAttest(bytes.with(bytes.length - 33, 31)))
    refuses('LENGTH', () => decodeQuoteAttest(attestBytes({ pcrDigest: new Uint8Array(20) })))
  })

  it('throws nothing but TcgError, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => !accepts(decodeQuoteAttest, bytes)))
    const bytes = attestBytes()
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        accepts(decodeQuoteAttest, bytes.with(at, value))
      }),
    )
  })
})

describe('decodeQuoteInfo', () => {
  const info = tpmVector('01-ovmf-baseline/quote_ecc.attest').slice(-44)

  it('decodes what stands in a quote', () => {
    const { selections, pcrDigest } = decodeQuoteInfo(info)
    assert.deepEqual(selections, [{ bank: 'sha256', pcrs: Array.from({ length: 15 }, (_, pcr) => pcr) }])
    assert.deepEqual(pcrDigest, info.slice(-32))
  })

  it('refuses every prefix, and a trailing byte', () => {
    for (let length = 0; length < info.length; length++) {
      refuses('MALFORMED', () => decodeQuoteInfo(info.subarray(0, length)))
    }
    refuses('MALFORMED', () => decodeQuoteInfo(Uint8Array.of(...info, 0)))
  })

  it('throws nothing but TcgError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.nat(info.length - 1), fc.nat(255), (at, value) => {
        accepts(decodeQuoteInfo, info.with(at, value))
      }),
    )
  })
})
