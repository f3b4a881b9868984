import assert from 'node:assert/strict'
import fc from 'fast-check'
import { decodePublic } from '../../src/tcg/public.ts'
import { eccPublicBytes, rsaPublicBytes } from './public-bytes.ts'
import { accepts, refuses } from './refusal.ts'
import { CAPTURES, hex, tpmtPublic, transcriptValue } from './tpm-vectors.ts'

const rsa = tpmtPublic('01-ovmf-baseline/ek.pub')
/** Offsets in an RSA storage key's public area with a policy of 32 bytes. */
const RSA = { keyBits: 50, exponent: 52, modulus: 58 }

describe('decodePublic', () => {
  for (const capture of CAPTURES) {
    it(`decodes the AK of ${capture}`, () => {
      const ak = decodePublic(tpmtPublic(`${capture}/ak_ecc.tpm2b_public`))
      assert.ok(ak.type === 'ecc')
      assert.deepEqual(ak.x, hex(transcriptValue(`${capture}/ak_ecc.yaml`, 'x')))
      assert.deepEqual(ak.y, hex(transcriptValue(`${capture}/ak_ecc.yaml`, 'y')))
      assert.equal(ak.attributes, 0x50072)
      assert.deepEqual(
        [ak.curve, ak.nameAlgorithm, ak.scheme, ak.aesBits, ak.authPolicy.length],
        ['P-256', 'sha256', { algorithm: 'ecdsa', hash: 'sha256' }, 0, 0],
      )
    })
  }

  it('decodes an RSA-2048 EK', () => {
    const ek = decodePublic(rsa)
    assert.ok(ek.type === 'rsa')
    assert.deepEqual([ek.modulus.length, ek.aesBits, ek.scheme, ek.attributes], [256, 128, undefined, 0x300b2])
    assert.deepEqual(ek.modulus, rsa.slice(RSA.modulus))
  })

  it('decodes RSA-2048 AKs', () => {
    for (const capture of CAPTURES) {
      const ak = decodePublic(tpmtPublic(`${capture}/ak_rsa.tpm2b_public`))
      assert.ok(ak.type === 'rsa')
      assert.deepEqual(
        [ak.modulus.length, ak.aesBits, ak.scheme, ak.attributes],
        [256, 0, { algorithm: 'rsassa', hash: 'sha256' }, 0x50072],
      )
    }
  })

  it('decodes EKs on P-256 and P-384', () => {
    const p256 = decodePublic(tpmtPublic('swtpm-primary-ak/ek_p256.pub'))
    const p384 = decodePublic(tpmtPublic('swtpm-primary-ak/ek_p384.pub'))
    assert.ok(p256.type === 'ecc' && p384.type === 'ecc')
    assert.deepEqual([p256.curve, p256.x.length, p256.aesBits, p256.nameAlgorithm], ['P-256', 32, 128, 'sha256'])
    assert.deepEqual([p384.curve, p384.y.length, p384.aesBits, p384.nameAlgorithm], ['P-384', 48, 256, 'sha384'])
  })

  it('refuses every prefix, and a trailing byte', () => {
    for (const whole of [rsa, eccPublicBytes()]) {
      for (let length = 0; length < whole.length; length++) {
        refuses('MALFORMED', () => decodePublic(whole.subarray(0, length)))
      }
      refuses('MALFORMED', () => decodePublic(Uint8Array.of(...whole, 0)))
    }
  })

  it('refuses a name algorithm that is not allowed', () => {
    for (const nameAlgorithm of [0x0004, 0x0010, 0x0012]) {
      refuses('NAME_ALGORITHM', () => decodePublic(eccPublicBytes({ nameAlgorithm })))
    }
  })

  it('refuses reserved attributes', () => {
    for (const bit of [0, 3, 12, 15, 20, 31]) {
      refuses('MALFORMED', () => decodePublic(eccPublicBytes({ attributes: (1 << bit) >>> 0 })))
    }
  })

  it('refuses a policy that is not a digest', () => {
    refuses('DIGEST_LENGTH', () => decodePublic(eccPublicBytes({ authPolicy: new Uint8Array(20) })))
    refuses('MALFORMED', () => decodePublic(eccPublicBytes({ authPolicy: new Uint8Array(33) })))
  })

  it('refuses kinds of keys that are not in the list', () => {
    const wrong = [
      { type: 0x0008 },
      { type: 0x0025 },
      { symmetric: [0x0026, 128, 0x0043] },
      { symmetric: [0x0006, 192, 0x0043] },
      { symmetric: [0x0006, 128, 0x0042] },
      { scheme: [0x001a, 0x000b] },
      { scheme: [0x0018, 0x0004] },
      { curve: 0x0001 },
      { curve: 0x0010 },
      { kdf: 0x0020 },
    ]
    for (const parts of wrong) refuses('KEY_UNSUPPORTED', () => decodePublic(eccPublicBytes(parts)))
  })

  it('refuses a scheme of the other type of key', () => {
    refuses('KEY_UNSUPPORTED', () => decodePublic(eccPublicBytes({ scheme: [0x0014, 0x000b] })))
    refuses('KEY_UNSUPPORTED', () => decodePublic(rsaPublicBytes({ scheme: [0x0018, 0x000b] })))
    refuses('KEY_UNSUPPORTED', () => decodePublic(rsaPublicBytes({ scheme: [0x0016, 0x000b] })))
  })

  it('decodes RSA keys of 3072 and 4096 bits, and keys on P-521 that are named by SHA-512', () => {
    for (const keyBits of [3072, 4096]) {
      const key = decodePublic(rsaPublicBytes({ keyBits, modulus: new Uint8Array(keyBits / 8).fill(0xff) }))
      assert.ok(key.type === 'rsa')
      assert.deepEqual([key.bits, key.modulus.length], [keyBits, keyBits / 8])
    }
    const [x, y] = [new Uint8Array(66), new Uint8Array(66)]
    const key = decodePublic(eccPublicBytes({ nameAlgorithm: 0x000d, curve: 0x0005, x, y }))
    assert.ok(key.type === 'ecc')
    assert.deepEqual([key.curve, key.nameAlgorithm, key.x.length], ['P-521', 'sha512', 66])
  })

  it('refuses RSA keys of other lengths, and an exponent that is not written as 0', () => {
    for (const keyBits of [1024, 2047, 8192]) {
      refuses('KEY_UNSUPPORTED', () => decodePublic(rsaPublicBytes({ keyBits })))
    }
    refuses('MALFORMED', () => decodePublic(rsa.with(RSA.keyBits, 0x0c)))
    refuses('KEY_UNSUPPORTED', () => decodePublic(rsa.with(RSA.exponent + 3, 3)))
    const explicit = rsa.with(RSA.exponent + 1, 1).with(RSA.exponent + 3, 1)
    refuses('KEY_UNSUPPORTED', () => decodePublic(explicit))
    refuses('MALFORMED', () => decodePublic(rsa.with(RSA.modulus, 0x7f)))
    refuses('KEY_UNSUPPORTED', () => decodePublic(eccPublicBytes({ type: 0x0001 })))
  })

  it('refuses coordinates that are not as long as the field', () => {
    for (const length of [0, 31, 33, 48]) {
      refuses('MALFORMED', () => decodePublic(eccPublicBytes({ x: new Uint8Array(length) })))
      refuses('MALFORMED', () => decodePublic(eccPublicBytes({ y: new Uint8Array(length) })))
    }
  })

  it('throws nothing but TcgError, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void accepts(decodePublic, bytes)))
    for (const whole of [rsa, eccPublicBytes()]) {
      fc.assert(
        fc.property(
          fc.nat(whole.length - 1),
          fc.nat(255),
          (at, value) => void accepts(decodePublic, whole.with(at, value)),
        ),
      )
    }
  })
})
