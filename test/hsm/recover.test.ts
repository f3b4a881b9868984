import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { SigningKey } from 'ethers/crypto'
import { concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { type Recovery, nativeRecovery, wasmRecovery } from '../../src/hsm/recover.ts'

const N = 0xffffffff_ffffffff_ffffffff_fffffffe_baaedce6_af48a03b_bfd25e8c_d0364141n
const P = 0xffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_ffffffff_fffffc2fn

for (const [kind, load] of [
  ['native', nativeRecovery],
  ['wasm', wasmRecovery],
] as const) {
  describe(`recover, ${kind}`, () => {
    let recovery: Recovery
    before(async () => (recovery = await load()))

    it('is what it says', () => assert.equal(recovery.kind, kind))

    it('recovers the key that signed, as ethers does', () => {
      for (let i = 0; i < 50; i++) {
        const [key, digest] = [new SigningKey(randomBytes(32)), randomBytes(32)]
        const { r, s, yParity } = key.sign(digest)
        const signature = concat(fromHex(r), fromHex(s))
        const own = recovery.recover(signature, yParity, digest)
        assert.equal(own && toHex(own), key.publicKey)
        const other = yParity === 0 ? 1 : 0
        const theirs = SigningKey.recoverPublicKey(digest, { r, s, v: 27 + other })
        const found = recovery.recover(signature, other, digest)
        assert.equal(found && toHex(found), theirs)
        assert.notEqual(theirs, key.publicKey)
      }
    })

    it('recovers nothing from r and s that no key can have made', () => {
      const one = new Uint8Array(32).with(31, 1)
      const bytes = (value: bigint) => fromHex(`0x${value.toString(16).padStart(64, '0')}`)
      // There is no point with x = 5 on the curve.
      for (const r of [new Uint8Array(32), bytes(5n), bytes(N), bytes(P), bytes(2n ** 256n - 1n)]) {
        assert.equal(recovery.recover(concat(r, one), 0, one), undefined, toHex(r))
      }
      for (const s of [new Uint8Array(32), bytes(N), bytes(2n ** 256n - 1n)]) {
        assert.equal(recovery.recover(concat(one, s), 0, one), undefined, toHex(s))
      }
    })

    it('recovers nothing from what has another length', () => {
      for (const length of [0, 63, 65]) {
        assert.equal(recovery.recover(new Uint8Array(length).fill(1), 0, new Uint8Array(32)), undefined)
      }
      assert.equal(recovery.recover(new Uint8Array(64).fill(1), 0, new Uint8Array(31)), undefined)
    })
  })
}
