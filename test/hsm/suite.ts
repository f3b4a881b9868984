import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { SigningKey, keccak256 } from 'ethers/crypto'
import { type Hex, concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { Hsm } from '../../src/hsm/hsm.ts'
import { receiptGroupDigest } from '../../src/record/receipt.ts'
import { SCOPE, receiptFor } from './message.ts'

export const LEDGER_KEY = 'attestry/ledger/v1'
export const DATA_KEY = 'attestry/data/v1'

const N = 0xffffffff_ffffffff_ffffffff_fffffffe_baaedce6_af48a03b_bfd25e8c_d0364141n
const [dataId, otherId, salt] = ['11', '22', '33'].map((byte): Hex => `0x${byte.repeat(32)}`) as [Hex, Hex, Hex]

/**
 * What holds of every HSM that Attestry accepts.
 *
 * @param open called once; gives an HSM whose token has no key of Attestry's yet, or those of this suite
 */
export function hsmSuite(open: () => Promise<Hsm>): void {
  let hsm: Hsm
  before(async () => {
    hsm = await open()
    const there = new Set((await hsm.listKeys()).map(({ label }) => label))
    for (const label of [LEDGER_KEY, DATA_KEY]) if (!there.has(label)) await hsm.generateKey(label)
  })
  after(() => hsm.close())

  const seal = async (plaintext: Uint8Array, id: Hex = dataId): Promise<Uint8Array> => {
    const region = await hsm.openRegion(plaintext)
    try {
      await region.encrypt(id)
      return await region.result()
    } finally {
      await region.close()
    }
  }
  const unseal = async (ciphertext: Uint8Array, id: Hex = dataId): Promise<Uint8Array> => {
    const region = await hsm.openRegion(ciphertext)
    try {
      await region.decrypt(id)
      return await region.result()
    } finally {
      await region.close()
    }
  }

  it('lists its keys as such that do not leave it', async () => {
    const keys = await hsm.listKeys()
    const ledger = keys.find(({ label }) => label === LEDGER_KEY)
    const data = keys.find(({ label }) => label === DATA_KEY)
    const claimed = { sensitive: true, extractable: false, neverExtractable: true, local: true, modifiable: false }
    const { address, publicKey } = await hsm.ledgerKey()
    assert.deepEqual(ledger, { label: LEDGER_KEY, kind: 'ledger', version: 1, claimed, address, publicKey })
    assert.deepEqual(data, { label: DATA_KEY, kind: 'data', version: 1, claimed })
  })

  it('derives the address from the public key', async () => {
    const { label, address, publicKey } = await hsm.ledgerKey()
    assert.equal(label, LEDGER_KEY)
    assert.match(publicKey, /^0x04[0-9a-f]{128}$/)
    assert.equal(address, `0x${keccak256(`0x${publicKey.slice(4)}`).slice(-40)}`)
  })

  it('signs receipts with low s, recoverable to its key', async () => {
    const { publicKey } = await hsm.ledgerKey()
    const { chainId, auditLog: verifyingContract } = SCOPE
    const receipts = Array.from({ length: 200 }, () => receiptFor(randomBytes(32)))
    for (const [index, receipt] of receipts.entries()) {
      const signature = fromHex(await hsm.sign(receipt), 65)
      const digest = receiptGroupDigest({ chainId, verifyingContract }, receipt.group)
      assert.ok(BigInt(toHex(signature.subarray(32, 64))) <= N / 2n)
      // Recovering is slow, and the device has recovered each of them already.
      if (index % 10 === 0) assert.equal(SigningKey.recoverPublicKey(digest, toHex(signature)), publicKey)
    }
  })

  it('refuses to sign what is out of its scope', async () => {
    const request = { kind: 'transaction', unsigned: '0x00' } as const
    await assert.rejects(hsm.sign(request), { name: 'Pkcs11Error', code: 'MESSAGE_REFUSED' })
  })

  it('refuses a label that is taken, and one that is none', async () => {
    await assert.rejects(hsm.generateKey(LEDGER_KEY), { code: 'KEY_EXISTS' })
    for (const label of ['attestry/other/v1', 'attestry/data/v0', 'attestry/data', 'attestry/data/v4294967296', '']) {
      await assert.rejects(hsm.generateKey(label), { code: 'KEY_LABEL_INVALID' })
    }
  })

  it('decrypts what it encrypted, of any length', async () => {
    for (const length of [0, 1, 15, 16, 17, 4096, 1_000_001]) {
      const plaintext = randomBytes(length)
      const ciphertext = await seal(plaintext)
      assert.equal(ciphertext.length, length + 36)
      assert.deepEqual(ciphertext.subarray(0, 8), concat(Buffer.from('ATG1'), Uint8Array.of(0, 0, 0, 1)))
      assert.deepEqual(Buffer.from(await unseal(ciphertext)), plaintext)
    }
  })

  it('makes another IV each time', async () => {
    const ivs = new Set<string>()
    for (let i = 0; i < 20; i++) ivs.add(toHex((await seal(Buffer.from('the same'))).subarray(8, 20)))
    assert.equal(ivs.size, 20)
  })

  it('hashes the result without taking it out', async () => {
    const region = await hsm.openRegion(Buffer.from('input'))
    await region.encrypt(dataId)
    const expected = createHash('sha256')
      .update('attestry/result/1')
      .update(fromHex(salt))
      .update(await region.result())
    assert.equal(await region.resultHash(salt), toHex(expected.digest()))
    await region.close()
  })

  it('refuses a ciphertext under another dataId', async () => {
    await assert.rejects(unseal(await seal(Buffer.from('data')), otherId), { code: 'CIPHERTEXT_INVALID' })
  })

  it('refuses a ciphertext with any byte changed', async () => {
    const ciphertext = await seal(Buffer.from('data'))
    for (let i = 0; i < ciphertext.length; i++) {
      const changed = Uint8Array.from(ciphertext)
      changed[i] = (changed[i] ?? 0) ^ 0x80
      // Bytes 4 to 7 name the version of the key.
      const code = i >= 4 && i < 8 ? 'KEY_NOT_FOUND' : 'CIPHERTEXT_INVALID'
      await assert.rejects(unseal(changed), { name: 'Pkcs11Error', code }, `byte ${i}`)
    }
    assert.deepEqual(Buffer.from(await unseal(ciphertext)), Buffer.from('data'))
  })

  it('refuses a ciphertext that was cut, lengthened, or is none', async () => {
    const ciphertext = await seal(Buffer.from('data'))
    const wrong = [
      ciphertext.subarray(0, -1),
      concat(ciphertext, Uint8Array.of(0)),
      ciphertext.subarray(0, 35),
      new Uint8Array(),
    ]
    for (const bytes of wrong) await assert.rejects(unseal(bytes), { code: 'CIPHERTEXT_INVALID' })
  })

  it('wipes a region when an operation in it fails', async () => {
    const region = await hsm.openRegion(randomBytes(64))
    await assert.rejects(region.decrypt(dataId), { code: 'CIPHERTEXT_INVALID' })
    await assert.rejects(region.result(), { code: 'REGION_LOST' })
    await region.close()
  })

  it('refuses to use a region that was closed, and to give a result that is not there', async () => {
    const region = await hsm.openRegion(Buffer.from('data'))
    await assert.rejects(region.result(), { code: 'ARGUMENT_INVALID' })
    await region.close()
    await region.close()
    await assert.rejects(region.encrypt(dataId), { code: 'REGION_LOST' })
    await assert.rejects(region.resultHash(salt), { code: 'REGION_LOST' })
  })

  it('refuses a dataId or a salt of another length, and keeps the region', async () => {
    const region = await hsm.openRegion(Buffer.from('data'))
    await assert.rejects(region.encrypt('0x11'), { code: 'ARGUMENT_INVALID' })
    await region.encrypt(dataId)
    await assert.rejects(region.resultHash('0x11'), { code: 'ARGUMENT_INVALID' })
    await region.result()
    await region.close()
  })

  it('refuses a result that does not fit', async () => {
    const region = await hsm.openRegion(Buffer.from('data'), 39)
    await assert.rejects(region.encrypt(dataId), { code: 'RESULT_TOO_LARGE' })
  })

  it('bounds the regions that are open at a time', async () => {
    const opened = await Promise.allSettled(Array.from({ length: 65 }, () => hsm.openRegion(Buffer.from('data'))))
    const refused = opened.filter((result) => result.status === 'rejected')
    assert.equal(refused.length, 1)
    assert.equal((refused[0]?.reason as { code: string }).code, 'REGION_LIMIT')
    for (const result of opened) if (result.status === 'fulfilled') await result.value.close()
    await (await hsm.openRegion(Buffer.from('data'))).close()
  })

  it('says how it keeps plaintext', async () => {
    const { kind, detail } = await hsm.secureMemory()
    assert.match(kind, /^(memfd_secret|locked)$/)
    assert.match(detail, /plaintext/)
  })
}
