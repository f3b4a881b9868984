import assert from 'node:assert/strict'
import { SigningKey, computeAddress } from 'ethers'
import { signerOf, structType } from '../../src/record/eip712.ts'
import { keccak256 } from '../../src/record/hash.ts'

const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const key = new SigningKey(keccak256(Uint8Array.of(3)))
const address = computeAddress(key.publicKey).toLowerCase()
const digest = keccak256(Uint8Array.of(4))
const signature = key.sign(digest)

describe('signerOf', () => {
  it('gives the lower-case address of the key that signed', () => {
    assert.equal(signerOf(digest, signature.serialized), address)
  })

  it('gives another address for another digest', () => {
    assert.notEqual(signerOf(keccak256(Uint8Array.of(5)), signature.serialized), address)
  })

  it('refuses a high s, which would be a second signature of the same thing', () => {
    const s = (order - BigInt(signature.s)).toString(16).padStart(64, '0')
    assert.equal(signerOf(digest, `${signature.r}${s}${signature.v === 27 ? '1c' : '1b'}`), undefined)
  })

  it('refuses what is malformed', () => {
    const { serialized } = signature
    const cut = serialized.slice(0, -2)
    const malformed = ['', '0x', cut, `${serialized}00`, `${cut}00`, `${cut}01`, `${cut}25`, `${cut}ff`, `${cut}zz`]
    for (const bad of [...malformed, serialized.slice(2)]) {
      assert.equal(signerOf(digest, bad), undefined, bad)
    }
    assert.equal(signerOf(digest, `0x${'00'.repeat(64)}1b`), undefined)
    assert.equal(signerOf(digest, `0x${'ff'.repeat(64)}1b`), undefined)
  })

  it('refuses the compact form of 64 bytes', () => {
    assert.equal(signerOf(digest, signature.compactSerialized), undefined)
  })
})

describe('structType', () => {
  it('reads members as Solidity writes them', () => {
    assert.deepEqual(structType('Pair', 'bytes32 left, uint64 right'), {
      name: 'Pair',
      fields: [
        { type: 'bytes32', name: 'left' },
        { type: 'uint64', name: 'right' },
      ],
    })
  })
})
