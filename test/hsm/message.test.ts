import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Transaction, Wallet, type TransactionLike } from 'ethers'
import { type Hex, fromHex, toHex } from '../../src/core/bytes.ts'
import { type LedgerKeyMessage, digestOf } from '../../src/hsm/message.ts'
import { addressReplacementDigest, addressRotationDigest, ledgerAddressClaimDigest } from '../../src/record/claim.ts'
import { enrolmentRequestDigest } from '../../src/record/enrolment.ts'
import { receiptGroupDigest } from '../../src/record/receipt.ts'
import { SCOPE, receiptFor } from './message.ts'

const { chainId, auditLog, hostRegistry, maxGasPriceWei } = SCOPE
const hash: Hex = `0x${'77'.repeat(32)}`
const address: Hex = `0x${'99'.repeat(20)}`

function transaction(changes: TransactionLike = {}): LedgerKeyMessage {
  return { kind: 'transaction', unsigned: Transaction.from({ ...GOOD, ...changes }).unsignedSerialized as Hex }
}

const GOOD = {
  ...{ type: 2, chainId, nonce: 4, to: auditLog, data: '0x12345678ff', gasLimit: 100_000n },
  ...{ maxFeePerGas: 10n ** 9n, maxPriorityFeePerGas: 10n ** 9n, value: 0n },
}
const LEGACY = { type: 0, gasPrice: 0n, maxFeePerGas: null, maxPriorityFeePerGas: null }

describe('digestOf', () => {
  it('is the hash that the sender of a transaction signs', () => {
    for (const changes of [{}, LEGACY, { data: '0x9abcdef0' }, { maxFeePerGas: maxGasPriceWei }]) {
      const { unsignedHash } = Transaction.from({ ...GOOD, ...changes })
      assert.equal(toHex(digestOf(transaction(changes), SCOPE)), unsignedHash)
    }
  })

  it('is the EIP-712 digest of all else, for the contract of the scope', () => {
    const registry = { chainId, verifyingContract: hostRegistry }
    const receipt = receiptFor(randomBytes(32))
    const akPublic = randomBytes(90)
    const rotation = { hostId: hash, from: address, to: auditLog, overlapBlocks: 5n }
    const replacement = { hostId: hash, from: address, to: auditLog }
    const cases: readonly (readonly [LedgerKeyMessage, Hex])[] = [
      [receipt, receiptGroupDigest({ chainId, verifyingContract: auditLog }, receipt.group)],
      [{ kind: 'enrolmentRequest', requestHash: hash }, enrolmentRequestDigest(registry, hash)],
      [{ kind: 'addressClaim', hostId: hash, akPublic }, ledgerAddressClaimDigest(registry, hash, akPublic)],
      [{ kind: 'addressRotation', rotation }, addressRotationDigest(registry, rotation)],
      [{ kind: 'addressReplacement', replacement }, addressReplacementDigest(registry, replacement)],
    ]
    for (const [message, digest] of cases) assert.equal(toHex(digestOf(message, SCOPE)), digest)
  })

  for (const [what, changes, said] of [
    ['another chain', { chainId: chainId + 1n }, /expected chain 31337/],
    ['any chain', { ...LEGACY, chainId: 0n }, /expected chain 31337/],
    ['another contract', { to: address }, /a call of 0x12345678 at 0x9999/],
    ['another contract of the scope', { to: hostRegistry }, /at 0xb2b2/],
    ['a creation', { to: null }, /at none/],
    ['another function', { data: '0x1234567900' }, /a call of 0x12345679/],
    ['half a selector', { data: '0x1234' }, /a call of 0x1234 /],
    ['no function', { data: '0x' }, /a call of 0x at/],
    ['value', { value: 1n }, /found 1 wei/],
    ['a higher price', { maxFeePerGas: maxGasPriceWei + 1n }, /wei for gas/],
    ['a higher price of old', { ...LEGACY, gasPrice: maxGasPriceWei + 1n }, /wei for gas/],
  ] as const) {
    it(`refuses a transaction with ${what}`, () => {
      assert.throws(() => digestOf(transaction({ ...changes }), SCOPE), { code: 'MESSAGE_REFUSED', message: said })
    })
  }

  it('refuses a transaction with an access list of its own type', () => {
    assert.throws(() => digestOf(transaction({ ...LEGACY, type: 1 }), SCOPE), { message: /expected type 0 or 2/ })
  })

  it('refuses a transaction with delegations of accounts', () => {
    const authorizationList = [{ address, nonce: 0n, chainId, signature: Wallet.createRandom().signingKey.sign(hash) }]
    assert.throws(() => digestOf(transaction({ type: 4, authorizationList }), SCOPE), {
      message: /expected type 0 or 2/,
    })
  })

  it('refuses a transaction that is signed, and any bytes behind, before or inside', async () => {
    const signed = (await Wallet.createRandom().signTransaction({ ...GOOD })) as Hex
    const { unsigned } = transaction() as { unsigned: Hex }
    const bytes = fromHex(unsigned)
    const changed: Hex[] = [signed, `${unsigned}00`, `0x00${unsigned.slice(2)}`, unsigned.toUpperCase() as Hex]
    for (let i = 0; i < bytes.length; i++) {
      changed.push(toHex(bytes.with(i, 0xff ^ (bytes[i] ?? 0))), toHex(bytes.subarray(0, i)))
    }
    for (const each of changed) {
      try {
        const digest = digestOf({ kind: 'transaction', unsigned: each }, SCOPE)
        // What is taken is another good transaction, and its own hash is signed.
        const { unsignedHash, chainId: chain, to, value } = Transaction.from(each)
        assert.deepEqual([toHex(digest), chain, to?.toLowerCase(), value], [unsignedHash, chainId, auditLog, 0n])
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, 'MESSAGE_REFUSED', String(error))
      }
    }
  })

  it('refuses what is malformed, and kinds that it does not know', () => {
    const { group } = receiptFor(randomBytes(32))
    for (const message of [
      { kind: 'digest', digest: randomBytes(32) },
      { kind: 'receipt', group: { ...group, groupRoot: '0x12' } },
      { kind: 'receipt', group: { ...group, firstSeq: -1n } },
      { kind: 'receipt', group: { ...group, count: 2 ** 32 } },
      { kind: 'receipt' },
      { kind: 'addressClaim', hostId: hash },
      {},
    ]) {
      assert.throws(() => digestOf(message as unknown as LedgerKeyMessage, SCOPE), { code: 'MESSAGE_REFUSED' })
    }
  })
})
