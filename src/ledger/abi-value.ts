import { AbiCoder, type ParamType } from 'ethers'
import type { Hex } from '../core/bytes.ts'

const abi = AbiCoder.defaultAbiCoder()

/**
 * Decodes ABI-encoded values strictly: what does not encode to exactly the same bytes again is refused, so there are no
 * trailing bytes, no dirty padding and no second encoding of anything.
 *
 * @param data untrusted
 * @returns by name: integers up to 32 bits as numbers, larger ones as bigints, byte strings and addresses as lower-case
 *   hexadecimal, structs as objects, arrays as arrays
 * @throws RangeError
 */
export function decodeValues(types: readonly ParamType[], data: Hex): Readonly<Record<string, unknown>> {
  let values: readonly unknown[]
  try {
    values = abi.decode(types, data).toArray()
    if (abi.encode(types, values) === data.toLowerCase()) return named(types, values)
  } catch (cause) {
    throw new RangeError('the bytes are not ABI-encoded values of the expected types', { cause })
  }
  throw new RangeError('the bytes are not the canonical encoding of their values')
}

/** Values that ethers decoded, by name, in Attestry's types. */
export function named(types: readonly ParamType[], values: readonly unknown[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(types.map((type, i) => [type.name === '' ? String(i) : type.name, plain(type, values[i])]))
}

function plain(type: ParamType, value: unknown): unknown {
  if (type.isTuple()) return named(type.components, value as readonly unknown[])
  if (type.isArray()) return Array.from(value as readonly unknown[], (item) => plain(type.arrayChildren, item))
  if (type.baseType.startsWith('uint')) return Number(type.baseType.slice(4)) <= 32 ? Number(value) : value
  if (type.baseType.startsWith('bytes') || type.baseType === 'address') return (value as string).toLowerCase()
  return value
}
