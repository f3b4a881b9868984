import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { guidText } from './guid.ts'
import { wideTextIn } from './event-text.ts'

/** A UEFI_VARIABLE_DATA: a variable as it was measured. */
export interface UefiVariable {
  readonly guid: string
  readonly name: string
  /** The variable's value, a view. */
  readonly value: Uint8Array
}

/** The longest name of a variable, in characters. */
const MAX_NAME = 512

/**
 * Decodes a UEFI_VARIABLE_DATA (PC Client Platform Firmware Profile 1.06, 10.2.6).
 *
 * @param data untrusted
 * @returns undefined where it is none: lengths that do not add up, or a name that cannot be shown
 */
export function decodeUefiVariable(data: Uint8Array): UefiVariable | undefined {
  if (data.length < 32) return undefined
  const reader = new LittleEndianReader(data)
  const guid = guidText(reader.bytes(16))
  const [nameLength, valueLength] = [reader.u64(), reader.u64()]
  if (nameLength < 1n || nameLength > BigInt(MAX_NAME)) return undefined
  if (2n * nameLength + valueLength !== BigInt(reader.remaining)) return undefined
  const name = wideTextIn(reader.bytes(2 * Number(nameLength)))
  return name === undefined ? undefined : { guid, name, value: reader.rest() }
}

/** A list of boot options, such as BootOrder, as `Boot####`. Undefined where it is none. @param value untrusted */
export function decodeBootOrder(value: Uint8Array): readonly string[] | undefined {
  if (value.length % 2 !== 0) return undefined
  const reader = new LittleEndianReader(value)
  const order: string[] = []
  while (reader.remaining > 0) order.push(`Boot${reader.u16().toString(16).padStart(4, '0').toUpperCase()}`)
  return order
}
