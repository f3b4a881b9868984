import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { wideTextIn } from './event-text.ts'
import { devicePathText } from './device-path.ts'

/** An EFI_LOAD_OPTION: what a variable `Boot####` holds. */
export interface LoadOption {
  readonly attributes: number
  readonly description: string
  readonly devicePath: string
  /** What is handed to the application, a view. */
  readonly optionalData: Uint8Array
}

/**
 * Decodes an EFI_LOAD_OPTION (UEFI 2.10, 3.1.3).
 *
 * @param value untrusted
 * @returns undefined where it is none
 */
export function decodeLoadOption(value: Uint8Array): LoadOption | undefined {
  if (value.length < 8) return undefined
  const reader = new LittleEndianReader(value)
  const [attributes, pathBytes] = [reader.u32(), reader.u16()]
  const start = reader.offset
  while (reader.remaining >= 2 && reader.u16() !== 0);
  const description = value.subarray(start, reader.offset)
  const isTerminated = description.length >= 2 && description.at(-1) === 0 && description.at(-2) === 0
  if (!isTerminated || pathBytes > reader.remaining) return undefined
  const words = description.length === 2 ? '' : wideTextIn(description)
  const devicePath = devicePathText(reader.bytes(pathBytes))
  if (words === undefined || devicePath === undefined) return undefined
  return { attributes, description: words, devicePath, optionalData: reader.rest() }
}
