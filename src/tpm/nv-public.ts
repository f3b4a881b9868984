import { Reader } from '../core/reader.ts'
import { Writer } from '../core/writer.ts'
import type { Handle, TpmCommands } from './commands.ts'
import { unwrap } from './objects.ts'

/** Bits of TPMA_NV (TPM 2.0 Part 2, 13.4). */
export const NV = {
  AUTHWRITE: 1 << 2,
  /** TPM_NT_COUNTER in bits 4 to 7. */
  COUNTER: 1 << 4,
  AUTHREAD: 1 << 18,
  NO_DA: 1 << 25,
  /** Set by the TPM with the first write. */
  WRITTEN: 1 << 29,
} as const

/** A TPMS_NV_PUBLIC (TPM 2.0 Part 2, 13.5). */
export interface NvPublic {
  readonly index: number
  readonly nameAlgorithm: number
  /** TPMA_NV. */
  readonly attributes: number
  readonly authPolicy: Uint8Array
  /** Bytes. */
  readonly size: number
}

const MAX_NV_PUBLIC = 80
const MAX_POLICY = 64

/** Reads the public area of an NV index. */
export function readNvPublic(commands: TpmCommands, index: Handle): NvPublic {
  const [tpm2b] = commands.NV_ReadPublic(index, [])
  const reader = new Reader(unwrap('TPM2B_NV_PUBLIC', tpm2b, MAX_NV_PUBLIC))
  const area = {
    index: reader.u32(),
    nameAlgorithm: reader.u16(),
    attributes: reader.u32(),
    authPolicy: reader.sized16(MAX_POLICY),
    size: reader.u16(),
  }
  reader.end('TPMS_NV_PUBLIC')
  return area
}

/** A TPM2B_NV_PUBLIC. */
export function encodeNvPublic(area: NvPublic): Uint8Array<ArrayBuffer> {
  const content = new Writer()
    .u32(area.index)
    .u16(area.nameAlgorithm)
    .u32(area.attributes)
    .sized16(area.authPolicy)
    .u16(area.size)
    .finish()
  return new Writer().sized16(content).finish()
}
