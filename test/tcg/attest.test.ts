import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex } from '../../src/core/bytes.ts'
import { decodeQuoteAttest } from '../../src/tcg/attest.ts'
import { attestBytes } from './quote-bytes.ts'
import { accepts, refuses } from './refusal.ts'
import { CAPTURES, hex, tpmVector, tpmVectorText, transcriptValue } from './tpm-vectors.ts'

const SHA256 = 0x000b

describe('decodeQuoteAttest', () => {
  for (const capture of CAPTURES) {
    it(`decodes the quote of ${capture}`, () => {
      const bytes = tpmVector(`${capture}/quote_ecc.attest`)
      const attest = decodeQuoteAttest(bytes)
      assert.deepEqual(attest.qualifiedSigner, hex(transcriptValue(`${capture}/ak_ecc.yaml`, 'qualified name')))
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
    const part = (max: number) => fc.uint8Array({ maxLength: max })
    const select = fc.uint8Array({ minLength: 3, maxLength: 3 }).filter((bytes) => bytes.some((byte) => byte !== 0))
    fc.assert(
      fc.property(
        part(66),
        part(64),
        fc.bigInt(0n, 2n ** 64n - 1n),
        select,
        (qualifiedSigner, extraData, clock, bytes) => {
          const written = attestBytes({
            qualifiedSigner,
            extraData,
            clock,
            selections: [{ hash: SHA256, select: [...bytes] }],
          })
          const attest = decodeQuoteAttest(written)
          const [selection] = attest.selections
          const pcrs = Array.from({ length: 24 }, (_, pcr) => pcr).filter(
            (pcr) => ((bytes[pcr >> 3] ?? 0) >> (pcr & 7)) & 1,
          )
          assert.equal(toHex(attest.qualifiedSigner), toHex(qualifiedSigner))
          assert.equal(toHex(attest.extraData), toHex(extraData))
          assert.equal(attest.clock.clock, clock)
          assert.deepEqual(selection?.pcrs, pcrs)
        },
      ),
    )
  })

  it('refuses every prefix of a quote', () => {
    const bytes = tpmVector('01-ovmf-baseline/quote_ecc.attest')
    for (let length = 0; length < bytes.length; length++) {
      refuses('MALFORMED', () => decodeQuoteAttest(bytes.subarray(0, length)))
    }
  })

  it('refuses a trailing byte', () => {
    refuses('MALFORMED', () => decodeQuoteAttest(Uint8Array.of(...attestBytes(), 0)))
  })

  it('refuses what no TPM made', () => {
    refuses('MAGIC', () => decodeQuoteAttest(attestBytes({ magic: 0xff544348 })))
  })

  it('refuses an attestation that is no quote', () => {
    refuses('TYPE', () => decodeQuoteAttest(attestBytes({ type: 0x8017 })))
  })

  it('refuses a signer or qualifying data beyond their bounds', () => {
    refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ qualifiedSigner: new Uint8Array(67) })))
    refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ extraData: new Uint8Array(65) })))
  })

  it('refuses a clock that is neither safe nor unsafe', () => {
    refuses('MALFORMED', () => decodeQuoteAttest(attestBytes({ safe: 2 })))
  })

  it('refuses a quote of nothing', () => {
    refuses('SELECTION_EMPTY', () => decodeQuoteAttest(attestBytes({ selections: [] })))
    refuses('SELECTION_EMPTY', () =>
      decodeQuoteAttest(attestBytes({ selections: [{ hash: SHA256, select: [0, 0, 0] }] })),
    )
  })

  it('refuses a PCR digest that is not SHA-256’s', () => {
    for (const length of [0, 20, 31, 33, 48]) {
      refuses('DIGEST_LENGTH', () => decodeQuoteAttest(attestBytes({ pcrDigest: new Uint8Array(length) })))
    }
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
