import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat } from '../../src/core/bytes.ts'
import { ReadError } from '../../src/core/reader.ts'
import { childrenOf, readDer, tagged, wholeBytesOf } from '../../src/evidence/der.ts'
import { tpmVector } from '../tcg/tpm-vectors.ts'

const of = (...bytes: number[]) => Uint8Array.from(bytes)

describe('readDer', () => {
  it('reads values and what is inside them', () => {
    const value = readDer(of(0x30, 6, 2, 1, 5, 4, 1, 9))
    assert.deepEqual(
      childrenOf(value).map(({ tag, content }) => [tag, ...content]),
      [
        [2, 5],
        [4, 9],
      ],
    )
    assert.equal(readDer(tpmVector('01-ovmf-baseline/ek_cert_rsa.der')).tag, 0x30)
  })

  it('refuses lengths that are indefinite or not the shortest, at any depth', () => {
    const wrong = [
      of(0x30, 0x80, 0, 0),
      of(0x04, 0x81, 1, 0),
      of(0x30, 4, 0x04, 0x81, 1, 0),
      concat(of(0x04, 0x82, 0, 200), new Uint8Array(200)),
      of(0x04, 0x84, 0, 0, 0, 0),
      of(0xbf, 1, 0),
    ]
    for (const bytes of wrong) assert.throws(() => readDer(bytes), ReadError)
  })

  it('refuses trailing bytes, truncation, and a depth beyond its bound', () => {
    assert.throws(() => readDer(of(0x05, 0, 0)), ReadError)
    assert.throws(() => readDer(of(0x30, 2, 2)), ReadError)
    let [deep, deeper] = [of(0x05, 0), of(0x05, 0)]
    for (let i = 0; i < 24; i++) deep = concat(of(0x30, deep.length), deep)
    for (let i = 0; i < 25; i++) deeper = concat(of(0x30, deeper.length), deeper)
    assert.equal(readDer(deep).tag, 0x30)
    assert.throws(() => readDer(deeper), ReadError)
  })

  it('throws nothing but ReadError, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          readDer(bytes)
        } catch (error) {
          assert.ok(error instanceof ReadError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('tagged and wholeBytesOf', () => {
  it('refuse another tag, nothing, and bits that are no bytes', () => {
    assert.throws(() => tagged(readDer(of(2, 1, 0)), 4), ReadError)
    assert.throws(() => tagged(undefined, 4), ReadError)
    assert.deepEqual(wholeBytesOf(readDer(of(3, 2, 0, 7))), of(7))
    assert.throws(() => wholeBytesOf(readDer(of(3, 2, 1, 6))), ReadError)
    assert.throws(() => wholeBytesOf(readDer(of(3, 0))), ReadError)
  })
})
