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

/** An AK as it should be, but for its point. */
export const AK_PARTS: EccParts = {
  type: 0x0023,
  nameAlgorithm: 0x000b,
  attributes: fixedTPM | fixedParent | sensitiveDataOrigin | userWithAuth | restricted | sign,
  authPolicy: new Uint8Array(),
  symmetric: [0x0010],
  scheme: [0x0018, 0x000b],
  curve: 0x0003,
  kdf: 0x0010,
  x: new Uint8Array(32).fill(1),
  y: new Uint8Array(32).fill(2),
}

/** A TPMT_PUBLIC, written by hand (TPM 2.0 Part 2, 12.2.4). */
export function eccPublicBytes(changes: Partial<EccParts> = {}): Uint8Array<ArrayBuffer> {
  const parts = { ...AK_PARTS, ...changes }
  const writer = new Writer().u16(parts.type).u16(parts.nameAlgorithm).u32(parts.attributes).sized16(parts.authPolicy)
  for (const value of [...parts.symmetric, ...parts.scheme]) writer.u16(value)
  return writer.u16(parts.curve).u16(parts.kdf).sized16(parts.x).sized16(parts.y).finish()
}
