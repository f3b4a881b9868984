/** Lower- or upper-case hexadecimal with a `0x` prefix, two digits a byte. */
export type Hex = `0x${string}`

/** Joins byte strings, in order, into a new one. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Whether two byte strings are the same. Not constant-time: for public values only. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Bytes as lower-case hexadecimal with `0x` in front. */
export function toHex(bytes: Uint8Array): Hex {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return `0x${text}`
}

/**
 * Hexadecimal with `0x` in front as bytes.
 *
 * @param text untrusted
 * @param length the number of bytes it must have, if it is fixed
 * @throws RangeError when it is not hexadecimal or has another length
 */
export function fromHex(text: string, length?: number): Uint8Array<ArrayBuffer> {
  if (!/^0x(?:[0-9a-fA-F]{2})*$/.test(text)) throw new RangeError('expected hexadecimal with 0x in front')
  const bytes = new Uint8Array(text.length / 2 - 1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16)
  if (length !== undefined && bytes.length !== length) {
    throw new RangeError(`expected ${length} bytes of hexadecimal, found ${bytes.length}`)
  }
  return bytes
}
