import assert from 'node:assert/strict'
import { concat } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import { P256_ORDER } from '../../src/tcg/p256.ts'
import { decodeSignature } from '../../src/tcg/signature.ts'
import { accepts, refuses } from './refusal.ts'
import { CAPTURES, hex, scalars, submittedSignature, tpmVector } from './tpm-vectors.ts'

const scalar = (value: bigint) => hex(value.toString(16).padStart(64, '0'))
const ecdsa = (r: Uint8Array, s: Uint8Array, hash = 0x000b) =>
  new Writer().u16(0x0018).u16(hash).sized16(r).sized16(s).finish()

describe('decodeSignature', () => {
  for (const capture of CAPTURES) {
    it(`gives the one form of the signatures of ${capture}`, () => {
      for (const name of ['quote_ecc.sig', 'quote_rsa.sig']) {
        const bytes = tpmVector(`${capture}/${name}`)
        assert.deepEqual(decodeSignature(bytes), submittedSignature(bytes))
      }
    })
  }

  it('makes up for zeros that were left out, and for the higher s', () => {
    assert.deepEqual(decodeSignature(ecdsa(Uint8Array.of(5), scalar(P256_ORDER - 3n))), scalars(5n, 3n))
    const rsa = new Writer().u16(0x0014).u16(0x000b).sized16(Uint8Array.of(7)).finish()
    assert.deepEqual(decodeSignature(rsa), concat(new Uint8Array(255), Uint8Array.of(7)))
  })

  it('refuses other schemes and hashes, values outside the group, and bytes too many', () => {
    const one = Uint8Array.of(1)
    refuses('SIGNATURE_UNSUPPORTED', () => decodeSignature(ecdsa(one, one, 0x0004)))
    refuses('SIGNATURE_UNSUPPORTED', () => decodeSignature(new Writer().u16(0x0016).u16(0x000b).sized16(one).finish()))
    refuses('SIGNATURE_VALUE', () => decodeSignature(ecdsa(new Uint8Array(32), one)))
    refuses('SIGNATURE_VALUE', () => decodeSignature(ecdsa(one, scalar(P256_ORDER))))
    refuses('MALFORMED', () => decodeSignature(ecdsa(new Uint8Array(33), one)))
    refuses('MALFORMED', () => decodeSignature(concat(ecdsa(one, one), one)))
  })

  it('refuses every prefix', () => {
    const bytes = tpmVector('01-ovmf-baseline/quote_ecc.sig')
    for (let length = 0; length < bytes.length; length++) {
      assert.equal(accepts(decodeSignature, bytes.slice(0, length)), false, `${length} bytes`)
    }
  })
})
