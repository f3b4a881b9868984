import { constants, createCipheriv, createHmac, createPublicKey, publicEncrypt, randomBytes } from 'node:crypto'
import { concat } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import type { CredentialChallenge } from './credential.ts'
import { ekModulus } from './ek-template.ts'
import { kdfa } from './kdfa.ts'

/** The nameAlg of the EK is SHA-256: seed, HMAC and the longest secret have its length. */
const DIGEST_BYTES = 32
const NAME_BYTES = 34
const AES_128_BITS = 128
/** A label of the encryption has its terminating zero with it (TPM 2.0 Part 1, B.4). */
const OAEP_LABEL = new TextEncoder().encode('IDENTITY\0')

/**
 * Encrypts a secret so that only the TPM with this EK can decrypt it, and only if it holds an object with this name
 * (TPM 2.0 Part 1, section 24, "Credential Protection"). Needs no TPM.
 *
 * @param ekPublic TPMT_PUBLIC of an RSA-2048 EK; what it says is what the challenge proves, so its certificate comes
 *   first
 * @param akName 34 bytes
 * @param secret 1 to 32 bytes, random, used once
 * @throws RangeError when one of them is not so
 */
export function makeCredential(ekPublic: Uint8Array, akName: Uint8Array, secret: Uint8Array): CredentialChallenge {
  const modulus = ekModulus(ekPublic)
  if (modulus === undefined) throw new RangeError('expected an RSA-2048 EK of the TCG default template')
  if (akName.length !== NAME_BYTES) throw new RangeError(`expected a name of 34 bytes, found ${akName.length}`)
  if (secret.length === 0 || secret.length > DIGEST_BYTES) {
    throw new RangeError(`expected a secret of 1 to ${DIGEST_BYTES} bytes, found ${secret.length}`)
  }
  const seed = randomBytes(DIGEST_BYTES)
  const empty = new Uint8Array()
  const storageKey = kdfa(seed, 'STORAGE', akName, empty, AES_128_BITS)
  const integrityKey = kdfa(seed, 'INTEGRITY', empty, empty, DIGEST_BYTES * 8)
  // A zero IV: the key is used once.
  const cipher = createCipheriv('aes-128-cfb', storageKey, new Uint8Array(16))
  const encrypted = concat(cipher.update(new Writer().sized16(secret).finish()), cipher.final())
  const hmac = createHmac('sha256', integrityKey).update(encrypted).update(akName).digest()
  return {
    credentialBlob: new Writer().sized16(hmac).bytes(encrypted).finish(),
    encryptedSecret: Uint8Array.from(encryptSeed(modulus, seed)),
  }
}

function encryptSeed(modulus: Uint8Array, seed: Uint8Array): Uint8Array {
  const n = Buffer.from(modulus).toString('base64url')
  const key = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  return publicEncrypt({ key, padding, oaepHash: 'sha256', oaepLabel: OAEP_LABEL }, seed)
}
