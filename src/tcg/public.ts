import type { Reader } from '../core/reader.ts'
import { hashNameOf, TPM_ALG, type HashName } from './algorithm.ts'
import { BANKS } from './bank.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'

/** A decoded TPMT_PUBLIC. Untrusted until something vouches for it. */
export type TpmPublic = EccPublic | RsaPublic

/** An ECC key: for ECDSA signatures, or for storage. */
export interface EccPublic extends PublicArea {
  readonly type: 'ecc'
  readonly curve: Curve
  /** As long as the curve's field. Whether the point lies on the curve was not checked. */
  readonly x: Uint8Array
  readonly y: Uint8Array
}

/** An RSA key: for RSASSA signatures, or for storage. Its exponent is 65537. */
export interface RsaPublic extends PublicArea {
  readonly type: 'rsa'
  readonly bits: RsaBits
  /** `bits` long, its highest bit set. */
  readonly modulus: Uint8Array
}

export interface PublicArea {
  readonly nameAlgorithm: NameHash
  /** TPMA_OBJECT, bits of `OBJECT_ATTRIBUTES`. */
  readonly attributes: number
  /** Empty, or as long as nameAlgorithm's digest. */
  readonly authPolicy: Uint8Array
  /** Bits of the AES key, in CFB mode, that guards what is stored under the key; 0 where it is no storage key. */
  readonly aesBits: 0 | 128 | 256
  /** How it signs; undefined where the key is not bound to a scheme. */
  readonly scheme: SigningScheme | undefined
}

/** RSASSA is RSASSA-PKCS1-v1_5. */
export interface SigningScheme {
  readonly algorithm: 'ecdsa' | 'rsassa'
  readonly hash: HashName
}

export type Curve = 'P-256' | 'P-384' | 'P-521'

export type RsaBits = 2048 | 3072 | 4096

/** A hash algorithm of names. Wider than what signatures and PCR banks are believed with: EKs on P-521 are named by SHA-512. */
export type NameHash = HashName | 'sha512'

/** Identifier (TCG Algorithm Registry, TPM_ALG_ID) and digest length, in bytes, of each hash algorithm of names. */
export const NAME_HASHES: Readonly<Record<NameHash, { readonly algorithm: number; readonly length: number }>> = {
  sha256: BANKS.sha256,
  sha384: BANKS.sha384,
  sha512: BANKS.sha512,
}

/** Identifier (TCG Algorithm Registry, TPM_ECC_CURVE) and length of a coordinate, in bytes, of each curve. */
export const CURVES: Readonly<Record<Curve, { readonly id: number; readonly length: number }>> = {
  'P-256': { id: 0x0003, length: 32 },
  'P-384': { id: 0x0004, length: 48 },
  'P-521': { id: 0x0005, length: 66 },
}

/** Bits of TPMA_OBJECT (TPM 2.0 Part 2, 8.3). */
export const OBJECT_ATTRIBUTES = {
  fixedTPM: 1 << 1,
  stClear: 1 << 2,
  fixedParent: 1 << 4,
  sensitiveDataOrigin: 1 << 5,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  firmwareLimited: 1 << 8,
  svnLimited: 1 << 9,
  noDA: 1 << 10,
  encryptedDuplication: 1 << 11,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
  x509sign: 1 << 19,
} as const

const KNOWN_ATTRIBUTES = Object.values(OBJECT_ATTRIBUTES).reduce<number>((all, bit) => all | bit, 0)
const RSA_BITS: readonly RsaBits[] = [2048, 3072, 4096]
/** The scheme that a key of each type may be bound to. */
const SCHEME_OF: Readonly<Record<number, { readonly id: number; readonly algorithm: SigningScheme['algorithm'] }>> = {
  [TPM_ALG.ECC]: { id: TPM_ALG.ECDSA, algorithm: 'ecdsa' },
  [TPM_ALG.RSA]: { id: TPM_ALG.RSASSA, algorithm: 'rsassa' },
}

/**
 * Decodes a TPMT_PUBLIC, strictly (TPM 2.0 Part 2, 12.2.4): ECC keys on P-256, P-384 and P-521, RSA with
 * 2048, 3072 or 4096 bits. There is one encoding of a key: coordinates have the field's length, and RSA's usual exponent is written as 0.
 *
 * @param tpmtPublic untrusted; without the length that a TPM2B_PUBLIC has in front
 * @throws TcgError `MALFORMED`, `DIGEST_LENGTH`, `NAME_ALGORITHM`, `KEY_UNSUPPORTED`
 */
export function decodePublic(tpmtPublic: Uint8Array): TpmPublic {
  return decodeWhole('TPMT_PUBLIC', tpmtPublic, (reader) => {
    const type = reader.u16()
    const nameAlgorithm = readNameAlgorithm(reader)
    const attributes = readAttributes(reader)
    const authPolicy = readAuthPolicy(reader, nameAlgorithm)
    const aesBits = readSymmetric(reader)
    const scheme = readScheme(reader, type)
    const area = { nameAlgorithm, attributes, authPolicy, aesBits, scheme }
    if (type === TPM_ALG.ECC) return { type: 'ecc', ...area, ...readEcc(reader) }
    if (type === TPM_ALG.RSA) return { type: 'rsa', ...area, ...readRsa(reader) }
    throw unsupported('an ECC or RSA key', type)
  })
}

function readNameAlgorithm(reader: Reader): NameHash {
  const algorithm = reader.u16()
  const name = algorithm === NAME_HASHES.sha512.algorithm ? 'sha512' : hashNameOf(algorithm)
  if (name === undefined) {
    throw new TcgError('NAME_ALGORITHM', `expected SHA-256, SHA-384 or SHA-512, found 0x${algorithm.toString(16)}`)
  }
  return name
}

function readAttributes(reader: Reader): number {
  const attributes = reader.u32()
  const reserved = (attributes & ~KNOWN_ATTRIBUTES) >>> 0
  if (reserved !== 0) throw new TcgError('MALFORMED', `reserved attribute bits are set: 0x${reserved.toString(16)}`)
  return attributes
}

function readAuthPolicy(reader: Reader, nameAlgorithm: NameHash): Uint8Array {
  const { length } = NAME_HASHES[nameAlgorithm]
  const authPolicy = reader.sized16(length)
  if (authPolicy.length !== 0 && authPolicy.length !== length) {
    throw new TcgError('DIGEST_LENGTH', `expected a policy of 0 or ${length} bytes, found ${authPolicy.length}`)
  }
  return authPolicy
}

function readSymmetric(reader: Reader): 0 | 128 | 256 {
  const algorithm = reader.u16()
  if (algorithm === TPM_ALG.NULL) return 0
  if (algorithm !== TPM_ALG.AES) throw unsupported('AES', algorithm)
  const bits = reader.u16()
  if (bits !== 128 && bits !== 256) throw unsupported('AES-128 or AES-256', bits)
  const mode = reader.u16()
  if (mode !== TPM_ALG.CFB) throw unsupported('AES in CFB mode', mode)
  return bits
}

function readScheme(reader: Reader, type: number): SigningScheme | undefined {
  const id = reader.u16()
  if (id === TPM_ALG.NULL) return undefined
  const expected = SCHEME_OF[type]
  if (id !== expected?.id) throw unsupported('ECDSA for an ECC key, RSASSA for an RSA key', id)
  const hashId = reader.u16()
  const hash = hashNameOf(hashId)
  if (hash === undefined) throw unsupported('a signature with SHA-256 or SHA-384', hashId)
  return { algorithm: expected.algorithm, hash }
}

function readEcc(reader: Reader): Pick<EccPublic, 'curve' | 'x' | 'y'> {
  const id = reader.u16()
  const curve = (Object.keys(CURVES) as Curve[]).find((name) => CURVES[name].id === id)
  if (curve === undefined) throw unsupported('P-256, P-384 or P-521', id)
  const kdf = reader.u16()
  if (kdf !== TPM_ALG.NULL) throw unsupported('no key derivation', kdf)
  const { length } = CURVES[curve]
  return { curve, x: readExactly(reader, length), y: readExactly(reader, length) }
}

function readRsa(reader: Reader): Pick<RsaPublic, 'bits' | 'modulus'> {
  const found = reader.u16()
  const bits = RSA_BITS.find((known) => known === found)
  if (bits === undefined) throw unsupported(`RSA with ${RSA_BITS.join(', ')} bits`, found)
  const exponent = reader.u32()
  if (exponent !== 0) throw unsupported('the exponent 65537, written as 0', exponent)
  const modulus = readExactly(reader, bits / 8)
  if ((modulus[0] ?? 0) < 0x80) throw new TcgError('MALFORMED', `expected a modulus of ${bits} bits, found fewer`)
  return { bits, modulus }
}

function readExactly(reader: Reader, length: number): Uint8Array {
  const value = reader.sized16(length)
  if (value.length !== length) {
    throw new TcgError('MALFORMED', `expected a key part of ${length} bytes, found ${value.length}`)
  }
  return value
}

function unsupported(expected: string, found: number): TcgError {
  return new TcgError('KEY_UNSUPPORTED', `expected ${expected}, found 0x${found.toString(16)}`)
}
