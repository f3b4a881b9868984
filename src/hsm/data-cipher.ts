import { randomBytes } from 'node:crypto'
import pkcs11js, { type Handle, type Mechanism } from 'pkcs11js'
import { type Hex, concat, equal, fromHex } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import { Pkcs11Error } from './error.ts'
import type { Token } from './token.ts'

/**
 * What a ciphertext is longer than its plaintext, in bytes: magic, key version, IV, tag (docs/formats.md,
 * "Ciphertext").
 */
export const CIPHERTEXT_OVERHEAD_BYTES = 36

const MAGIC = Buffer.from('ATG1')
const ADDITIONAL_DATA = Buffer.from('attestry/gcm/1')
const IV_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = CIPHERTEXT_OVERHEAD_BYTES - TAG_BYTES

/** A data key that was found. */
export interface FoundDataKey {
  readonly handle: Handle
  readonly version: number
}

/**
 * Encrypts from one memory into another, under an IV from the token's own generator.
 *
 * @param result at least `CIPHERTEXT_OVERHEAD_BYTES` longer than the plaintext; the two must not overlap
 * @returns how many bytes of the result were written
 * @throws Pkcs11Error RESULT_TOO_LARGE
 */
export function encrypt(token: Token, key: FoundDataKey, dataId: Hex, plaintext: Buffer, result: Buffer): number {
  const length = plaintext.length + CIPHERTEXT_OVERHEAD_BYTES
  demand(result, length)
  const iv = token.call('C_GenerateRandom', (pkcs11, session) =>
    pkcs11.C_GenerateRandom(session, Buffer.alloc(IV_BYTES)),
  )
  // A generator that has failed often gives nothing but zeros, and an IV used twice gives the key's secrets away.
  if (iv.every((byte) => byte === 0))
    throw new Pkcs11Error('DEVICE_FAILED', 'the random generator of the token gives zeros')
  result.set(concat(MAGIC, new Writer().u32(key.version).finish(), iv))
  const mechanism = gcm(iv, key.version, dataId)
  token.call('C_EncryptInit', (pkcs11, session) => pkcs11.C_EncryptInit(session, mechanism, key.handle))
  const body = result.subarray(HEADER_BYTES, length)
  const written = token.call('C_Encrypt', (pkcs11, session) => pkcs11.C_Encrypt(session, plaintext, body))
  if (written.length !== body.length)
    throw new Pkcs11Error('DEVICE_FAILED', 'C_Encrypt gave another length than GCM has')
  // As a module leaves the result that says that all is well and has done nothing.
  if (body.subarray(-TAG_BYTES).every((byte) => byte === 0))
    throw new Pkcs11Error('DEVICE_FAILED', 'C_Encrypt gave a tag of nothing but zeros')
  return length
}

/**
 * The version of the key that a ciphertext was made with.
 *
 * @param ciphertext untrusted
 * @throws Pkcs11Error CIPHERTEXT_INVALID when it is none
 */
export function keyVersionOf(ciphertext: Buffer): number {
  const tooShort = ciphertext.length < CIPHERTEXT_OVERHEAD_BYTES
  if (tooShort || !equal(ciphertext.subarray(0, MAGIC.length), MAGIC))
    throw invalid('this is no ciphertext of Attestry’s')
  return new Reader(ciphertext.subarray(MAGIC.length)).u32()
}

/**
 * Decrypts from one memory into another.
 *
 * @param ciphertext untrusted
 * @param result at least as long as the ciphertext without its header: modules want room for the tag too
 * @returns how many bytes of the result were written
 * @throws Pkcs11Error CIPHERTEXT_INVALID, never to be tried again; RESULT_TOO_LARGE
 */
export function decrypt(token: Token, key: FoundDataKey, dataId: Hex, ciphertext: Buffer, result: Buffer): number {
  const iv = Buffer.from(ciphertext.subarray(HEADER_BYTES - IV_BYTES, HEADER_BYTES))
  const body = ciphertext.subarray(HEADER_BYTES)
  demand(result, body.length)
  const mechanism = gcm(iv, key.version, dataId)
  try {
    return open(token, key, mechanism, body, result)
  } catch (error) {
    // Modules have several answers for a wrong tag, and SoftHSM's is that for any failure. So the ciphertext is blamed
    // only where the same key and a fresh session still work, and it alone fails once more: what was decrypted with a
    // check is the same each time, and asking twice reveals nothing.
    const ambiguous = error instanceof Pkcs11Error && ['CALL_FAILED', 'ANSWER_UNKNOWN'].includes(error.code)
    if (!ambiguous) throw error
    token.renewSession()
    if (!works(token, key)) throw error
    return openAgain(token, error, () => open(token, key, mechanism, body, result))
  }
}

function open(token: Token, key: FoundDataKey, mechanism: Mechanism, body: Buffer, result: Buffer): number {
  token.call('C_DecryptInit', (pkcs11, session) => pkcs11.C_DecryptInit(session, mechanism, key.handle))
  const { length } = token.call('C_Decrypt', (pkcs11, session) => pkcs11.C_Decrypt(session, body, result))
  // A module that says that all is well and has done nothing must not pass for one that decrypted.
  if (length !== body.length - TAG_BYTES)
    throw new Pkcs11Error('DEVICE_FAILED', 'C_Decrypt gave another length than GCM has')
  return length
}

function openAgain(token: Token, first: Pkcs11Error, decryption: () => number): number {
  try {
    return decryption()
  } catch (error) {
    if (!(error instanceof Pkcs11Error) || error.rv !== first.rv) throw error
    token.renewSession()
    throw invalid('the ciphertext is not authentic for this dataId', error)
  }
}

/** Whether the key decrypts what it has encrypted. */
function works(token: Token, key: FoundDataKey): boolean {
  const dataId: Hex = `0x${'00'.repeat(32)}`
  const probe = randomBytes(16)
  const [sealed, opened] = [
    Buffer.alloc(probe.length + CIPHERTEXT_OVERHEAD_BYTES),
    Buffer.alloc(probe.length + TAG_BYTES),
  ]
  encrypt(token, key, dataId, probe, sealed)
  const mechanism = gcm(sealed.subarray(HEADER_BYTES - IV_BYTES, HEADER_BYTES), key.version, dataId)
  const length = open(token, key, mechanism, sealed.subarray(HEADER_BYTES), opened)
  return opened.subarray(0, length).equals(probe)
}

function gcm(iv: Buffer, version: number, dataId: Hex): Mechanism {
  const aad = Buffer.from(concat(ADDITIONAL_DATA, new Writer().u32(version).finish(), fromHex(dataId, 32)))
  const parameter = { type: pkcs11js.CK_PARAMS_AES_GCM_v240, iv, ivBits: 8 * IV_BYTES, aad, tagBits: 8 * TAG_BYTES }
  return { mechanism: pkcs11js.CKM_AES_GCM, parameter }
}

function demand(result: Buffer, length: number): void {
  if (result.length >= length) return
  throw new Pkcs11Error('RESULT_TOO_LARGE', `the result needs ${length} bytes, the region has ${result.length}`)
}

function invalid(message: string, cause?: unknown): Pkcs11Error {
  return new Pkcs11Error('CIPHERTEXT_INVALID', message, {}, { cause })
}
