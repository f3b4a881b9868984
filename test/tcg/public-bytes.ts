import { fromHex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import { OBJECT_ATTRIBUTES } from '../../src/tcg/public.ts'

const { fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign } = OBJECT_ATTRIBUTES

/** The parts of the TPMT_PUBLIC of an ECC key, each of them free to be wrong. */
export interface EccParts {
  readonly type: number
  readonly nameAlgorithm: number
  readonly attributes: number
  readonly authPolicy: Uint8Array
  /** As they stand: algorithm, and what it needs. */
  readonly symmetric: readonly number[]
  readonly scheme: readonly number[]
  readonly curve: number
  readonly kdf: number
  readonly x: Uint8Array
  readonly y: Uint8Array
}

/** An AK as it should be; its point is the generator (NIST SP 800-186, 3.2.1.3). */
export const AK_PARTS: EccParts = {
  type: 0x0023,
  nameAlgorithm: 0x000b,
  attributes: fixedTPM | fixedParent | sensitiveDataOrigin | userWithAuth | restricted | sign,
  authPolicy: new Uint8Array(),
  symmetric: [0x0010],
  scheme: [0x0018, 0x000b],
  curve: 0x0003,
  kdf: 0x0010,
  x: fromHex('0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296', 32),
  y: fromHex('0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5', 32),
}

/** The parts of the TPMT_PUBLIC of an RSA key, each of them free to be wrong. */
export interface RsaParts {
  readonly type: number
  readonly nameAlgorithm: number
  readonly attributes: number
  readonly authPolicy: Uint8Array
  /** As they stand: algorithm, and what it needs. */
  readonly symmetric: readonly number[]
  readonly scheme: readonly number[]
  readonly keyBits: number
  readonly exponent: number
  readonly modulus: Uint8Array
}

/** An AK as it should be, but for its modulus. */
export const RSA_AK_PARTS: RsaParts = {
  type: 0x0001,
  nameAlgorithm: 0x000b,
  attributes: AK_PARTS.attributes,
  authPolicy: new Uint8Array(),
  symmetric: [0x0010],
  scheme: [0x0014, 0x000b],
  keyBits: 2048,
  exponent: 0,
  modulus: new Uint8Array(256).fill(0xff),
}

/** A TPMT_PUBLIC of an RSA key, written by hand (TPM 2.0 Part 2, 12.2.4). */
export function rsaPublicBytes(changes: Partial<RsaParts> = {}): Uint8Array<ArrayBuffer> {
  const parts = { ...RSA_AK_PARTS, ...changes }
  const writer = new Writer().u16(parts.type).u16(parts.nameAlgorithm).u32(parts.attributes).sized16(parts.authPolicy)
  for (const value of [...parts.symmetric, ...parts.scheme]) writer.u16(value)
  return writer.u16(parts.keyBits).u32(parts.exponent).sized16(parts.modulus).finish()
}

/** A TPMT_PUBLIC of an ECC key, written by hand (TPM 2.0 Part 2, 12.2.4). */
export function eccPublicBytes(changes: Partial<EccParts> = {}): Uint8Array<ArrayBuffer> {
  const parts = { ...AK_PARTS, ...changes }
  const writer = new Writer().u16(parts.type).u16(parts.nameAlgorithm).u32(parts.attributes).sized16(parts.authPolicy)
  for (const value of [...parts.symmetric, ...parts.scheme]) writer.u16(value)
  return writer.u16(parts.curve).u16(parts.kdf).sized16(parts.x).sized16(parts.y).finish()
}
