import { concat } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'

/** The parts of a TPMS_ATTEST, each of them free to be wrong. */
export interface AttestParts {
  readonly magic: number
  readonly type: number
  readonly qualifiedSigner: Uint8Array
  readonly extraData: Uint8Array
  readonly clock: bigint
  readonly resetCount: number
  readonly restartCount: number
  readonly safe: number
  readonly firmwareVersion: bigint
  /** How many entries the list says it has; by default as many as it has. */
  readonly count?: number
  readonly selections: readonly { readonly hash: number; readonly select: readonly number[] }[]
  readonly pcrDigest: Uint8Array
}

/** A quote of SHA-256 PCR 13. */
export const QUOTE_PARTS: AttestParts = {
  magic: 0xff544347,
  type: 0x8018,
  qualifiedSigner: signerName(new Uint8Array(32)),
  extraData: new Uint8Array(32).fill(7),
  clock: 1000n,
  resetCount: 3,
  restartCount: 1,
  safe: 1,
  firmwareVersion: 0x20191023n,
  selections: [{ hash: 0x000b, select: [0x00, 0x20, 0x00] }],
  pcrDigest: new Uint8Array(32).fill(9),
}

/** A name by SHA-256. */
export function signerName(digest: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(Uint8Array.of(0x00, 0x0b), digest)
}

/** A TPMS_ATTEST, written by hand (TPM 2.0 Part 2, 10.12.12). */
export function attestBytes(changes: Partial<AttestParts> = {}): Uint8Array<ArrayBuffer> {
  const parts = { ...QUOTE_PARTS, ...changes }
  const writer = new Writer().u32(parts.magic).u16(parts.type).sized16(parts.qualifiedSigner).sized16(parts.extraData)
  writer.u64(parts.clock).u32(parts.resetCount).u32(parts.restartCount).u8(parts.safe).u64(parts.firmwareVersion)
  writer.u32(parts.count ?? parts.selections.length)
  for (const { hash, select } of parts.selections) {
    writer.u16(hash).u8(select.length).bytes(Uint8Array.from(select))
  }
  return writer.sized16(parts.pcrDigest).finish()
}
