import { toHex, type Hex } from '../core/bytes.ts'
import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { devicePathText } from './device-path.ts'
import { textIn } from './event-text.ts'
import { guidText } from './guid.ts'

/** A UEFI_IMAGE_LOAD_EVENT: where an image was loaded from. Its digest is the image's, so no digest covers this. */
export interface ImageLoad {
  readonly location: Hex
  readonly length: Hex
  readonly linkTimeAddress: Hex
  /** In words; hexadecimal where it cannot be read, empty where the loader had the image in memory. */
  readonly devicePath: string
}

/** Decodes a UEFI_IMAGE_LOAD_EVENT (PC Client Platform Firmware Profile 1.06, 10.2.3). Undefined where it is none. @param data untrusted */
export function decodeImageLoad(data: Uint8Array): ImageLoad | undefined {
  if (data.length < 32) return undefined
  const reader = new LittleEndianReader(data)
  const [location, length, linkTimeAddress] = [number(reader), number(reader), number(reader)]
  if (reader.u64() !== BigInt(reader.remaining)) return undefined
  const path = reader.rest()
  const devicePath = path.length === 0 ? '' : (devicePathText(path) ?? toHex(path))
  return { location, length, linkTimeAddress, devicePath }
}

/** Decodes a UEFI_PLATFORM_FIRMWARE_BLOB: an area of memory (10.2.4). Undefined where it is none. @param data untrusted */
export function decodeFirmwareBlob(data: Uint8Array): { readonly base: Hex; readonly length: Hex } | undefined {
  if (data.length !== 16) return undefined
  const reader = new LittleEndianReader(data)
  return { base: number(reader), length: number(reader) }
}

/** What stands behind a description of at most 255 bytes, as in the structures whose names end with 2. Undefined where that is cut. */
export function behindDescription(
  data: Uint8Array,
): { readonly description: string; readonly rest: Uint8Array } | undefined {
  const size = data[0]
  if (size === undefined || data.length < 1 + size) return undefined
  return { description: textIn(data.subarray(1, 1 + size)) ?? '', rest: data.subarray(1 + size) }
}

/** Decodes UEFI_HANDOFF_TABLE_POINTERS: tables by GUID and address (10.2.2). Undefined where it is none. @param data untrusted */
export function decodeHandoffTables(
  data: Uint8Array,
): readonly { readonly guid: string; readonly address: Hex }[] | undefined {
  if (data.length < 8) return undefined
  const reader = new LittleEndianReader(data)
  const count = reader.u64()
  if (24n * count !== BigInt(reader.remaining)) return undefined
  return Array.from({ length: Number(count) }, () => ({ guid: guidText(reader.bytes(16)), address: number(reader) }))
}

function number(reader: LittleEndianReader): Hex {
  return `0x${reader.u64().toString(16)}`
}
