import {
  constants,
  createCipheriv,
  createECDH,
  createHmac,
  createPublicKey,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { concat } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { endorsementTemplateOf } from '../tcg/endorsement-key.ts'
import { ENDORSEMENT_TEMPLATES, type TemplateName } from '../tcg/endorsement-template.ts'
import { TcgError } from '../tcg/error.ts'
import { decodePublic, NAME_HASHES, type EccPublic, type RsaPublic, type TpmPublic } from '../tcg/public.ts'
import type { CredentialChallenge } from './credential.ts'
import { kdfa, kdfe } from './kdfa.ts'

const NAME_BYTES = 34
const MAX_SECRET = 32
const ECDH_CURVES = { 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' }
/** A label of the encryption has its terminating zero with it (TPM 2.0 Part 1, B.4). */
const OAEP_LABEL = new TextEncoder().encode('IDENTITY\0')
const EVERY_TEMPLATE = new Set(Object.keys(ENDORSEMENT_TEMPLATES) as TemplateName[])

/**
 * Encrypts a secret so that only the TPM with this EK can decrypt it, and only if it holds an object with this name
 * (TPM 2.0 Part 1, section 24, "Credential Protection"). Needs no TPM.
 *
 * @param ekPublic TPMT_PUBLIC of an EK by one of the TCG's templates; what it says is what the challenge proves, so its
 *   certificate comes first
 * @param akName 34 bytes
 * @param secret 1 to 32 bytes, random, used once
 * @throws RangeError when one of them is not so
 */
export function makeCredential(ekPublic: Uint8Array, akName: Uint8Array, secret: Uint8Array): CredentialChallenge {
  const ek = endorsementKey(ekPublic)
  if (akName.length !== NAME_BYTES) throw new RangeError(`expected a name of 34 bytes, found ${akName.length}`)
  if (secret.length === 0 || secret.length > MAX_SECRET) {
    throw new RangeError(`expected a secret of 1 to ${MAX_SECRET} bytes, found ${secret.length}`)
  }
  const { nameAlgorithm: hash, aesBits } = ek
  // Seed and HMAC key are as long as the EK's name digest.
  const digestBits = NAME_HASHES[hash].length * 8
  const { seed, encryptedSecret } = ek.type === 'rsa' ? rsaSeed(ek, digestBits / 8) : eccSeed(ek, digestBits)
  const empty = new Uint8Array()
  const storageKey = kdfa(seed, 'STORAGE', akName, empty, aesBits, hash)
  const integrityKey = kdfa(seed, 'INTEGRITY', empty, empty, digestBits, hash)
  // A zero IV: the key is used once.
  const cipher = createCipheriv(`aes-${aesBits}-cfb`, storageKey, new Uint8Array(16))
  const encrypted = concat(cipher.update(new Writer().sized16(secret).finish()), cipher.final())
  const hmac = createHmac(hash, integrityKey).update(encrypted).update(akName).digest()
  return { credentialBlob: new Writer().sized16(hmac).bytes(encrypted).finish(), encryptedSecret }
}

interface SharedSeed {
  readonly seed: Uint8Array
  /** What the TPM finds the seed from. */
  readonly encryptedSecret: Uint8Array
}

/** @throws RangeError */
function endorsementKey(ekPublic: Uint8Array): TpmPublic {
  try {
    const ek = decodePublic(ekPublic)
    endorsementTemplateOf(ek, EVERY_TEMPLATE)
    return ek
  } catch (cause) {
    if (cause instanceof TcgError) throw new RangeError(`expected an EK of a TCG template: ${cause.message}`, { cause })
    throw cause
  }
}

function rsaSeed({ modulus, nameAlgorithm }: RsaPublic, length: number): SharedSeed {
  const seed = randomBytes(length)
  const n = Buffer.from(modulus).toString('base64url')
  const key = createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } })
  const padding = constants.RSA_PKCS1_OAEP_PADDING
  const encrypted = publicEncrypt({ key, padding, oaepHash: nameAlgorithm, oaepLabel: OAEP_LABEL }, seed)
  return { seed, encryptedSecret: Uint8Array.from(encrypted) }
}

/** One-pass ECDH with an ephemeral key (TPM 2.0 Part 1, C.6.4). OpenSSL refuses a point that is not on the curve. */
function eccSeed({ curve, x, y, nameAlgorithm }: EccPublic, bits: number): SharedSeed {
  const ephemeral = createECDH(ECDH_CURVES[curve])
  const point = Uint8Array.from(ephemeral.generateKeys())
  const [ephemeralX, ephemeralY] = [point.subarray(1, 1 + x.length), point.subarray(1 + x.length)]
  const z = sharedX(ephemeral, concat(Uint8Array.of(4), x, y))
  const seed = kdfe(z, 'IDENTITY', ephemeralX, x, bits, nameAlgorithm)
  return { seed, encryptedSecret: new Writer().sized16(ephemeralX).sized16(ephemeralY).finish() }
}

function sharedX(ephemeral: ReturnType<typeof createECDH>, point: Uint8Array): Uint8Array {
  try {
    return ephemeral.computeSecret(point)
  } catch (cause) {
    throw new RangeError('expected an EK that is a point of its curve', { cause })
  }
}
