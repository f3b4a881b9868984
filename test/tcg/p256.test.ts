import assert from 'node:assert/strict'
import { isLowS, isP256Point, lowS, P256_ORDER } from '../../src/tcg/p256.ts'

const GX = 0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n
const GY = 0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const HALF = (P256_ORDER - 1n) / 2n

describe('lowS', () => {
  it('keeps a low s and turns a high one over', () => {
    assert.equal(lowS(1n), 1n)
    assert.equal(lowS(HALF), HALF)
    assert.equal(lowS(HALF + 1n), HALF)
    assert.equal(lowS(P256_ORDER - 1n), 1n)
  })

  it('gives what isLowS takes', () => {
    for (const s of [1n, HALF, HALF + 1n, P256_ORDER - 1n]) assert.equal(isLowS(lowS(s)), true)
    assert.equal(isLowS(HALF + 1n), false)
  })
})

describe('isP256Point', () => {
  it('takes the generator and its negative', () => {
    assert.equal(isP256Point(GX, GY), true)
    assert.equal(isP256Point(GX, P - GY), true)
  })

  it('refuses points beside the curve, zeros, and coordinates that are not reduced', () => {
    assert.equal(isP256Point(GX, GY + 1n), false)
    assert.equal(isP256Point(GY, GX), false)
    assert.equal(isP256Point(0n, 0n), false)
    assert.equal(isP256Point(GX, GY + P), false)
    assert.equal(isP256Point(GX + P, GY), false)
  })
})
