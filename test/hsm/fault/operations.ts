import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { secp256k1 } from '@noble/curves/secp256k1'
import { type Hex, concat, fromHex, toHex } from '../../../src/core/bytes.ts'
import { Pkcs11Error } from '../../../src/hsm/error.ts'
import type { Hsm } from '../../../src/hsm/hsm.ts'
import { receiptGroupDigest } from '../../../src/record/receipt.ts'
import { SCOPE, receiptFor } from '../message.ts'
import { DATA_KEY, LEDGER_KEY } from '../suite.ts'

/** What is known of the token from elsewhere than from the HSM under test. */
export interface Known {
  /** The ledger key's public half, 65 bytes. */
  readonly publicKey: Uint8Array
  /** A ciphertext by the data key, and what is in it. */
  readonly sealed: Uint8Array
  readonly plaintext: Uint8Array
}

/** Does something with the HSM, and throws an AssertionError where what came out is wrong. */
export type Operation = (hsm: Hsm, known: Known) => Promise<void>

const { chainId, auditLog } = SCOPE
const dataId: Hex = `0x${'11'.repeat(32)}`
let version = 100

export type OperationName = 'sign' | 'encrypt' | 'decrypt' | 'generate' | 'generatePair' | 'list'

export const operations: Readonly<Record<OperationName, Operation>> = {
  sign: async (hsm, { publicKey }) => {
    const receipt = receiptFor(randomBytes(32))
    const digest = fromHex(receiptGroupDigest({ chainId, verifyingContract: auditLog }, receipt.group))
    const bytes = fromHex(await hsm.sign(receipt), 65)
    const signature = secp256k1.Signature.fromCompact(bytes.subarray(0, 64))
    assert.ok(!signature.hasHighS(), 'high s')
    assert.ok(secp256k1.verify(signature, digest, publicKey), 'wrong signature')
    const recovered = signature.addRecoveryBit((bytes[64] ?? 0) - 27).recoverPublicKey(digest)
    assert.equal(toHex(recovered.toRawBytes(false)), toHex(publicKey), 'wrong v')
  },
  encrypt: async (hsm) => {
    const plaintext = randomBytes(100)
    const sealed = await inRegion(hsm, plaintext, 'encrypt')
    assert.deepEqual(sealed.subarray(0, 8), concat(Buffer.from('ATG1'), Uint8Array.of(0, 0, 0, 1)))
    const opened = await inRegion(hsm, sealed, 'decrypt').catch((error: unknown) => {
      assert.ok(!(error instanceof Pkcs11Error && error.code === 'CIPHERTEXT_INVALID'), 'wrong ciphertext')
      throw error
    })
    assert.deepEqual(Buffer.from(opened), plaintext)
  },
  decrypt: async (hsm, { sealed, plaintext }) => {
    assert.deepEqual(await inRegion(hsm, sealed, 'decrypt'), plaintext)
  },
  generate: (hsm) => generated(hsm, 'data'),
  generatePair: (hsm) => generated(hsm, 'ledger'),
  list: async (hsm, { publicKey }) => {
    const keys = await hsm.listKeys()
    const [ledger, data] = [LEDGER_KEY, DATA_KEY].map((label) => keys.find((key) => key.label === label))
    assert.equal(ledger?.publicKey, toHex(publicKey))
    assert.ok(data !== undefined && data.problem === undefined)
  },
}

async function generated(hsm: Hsm, kind: 'data' | 'ledger'): Promise<void> {
  const label = `attestry/${kind}/v${++version}`
  const key = await hsm.generateKey(label)
  assert.equal(key.label, label)
  assert.equal(key.problem, undefined)
  assert.ok(!key.claimed.extractable && key.claimed.sensitive)
}

export async function inRegion(hsm: Hsm, input: Uint8Array, what: 'encrypt' | 'decrypt'): Promise<Uint8Array> {
  const region = await hsm.openRegion(Uint8Array.from(input))
  try {
    await region[what](dataId)
    return await region.result()
  } finally {
    await region.close()
  }
}
