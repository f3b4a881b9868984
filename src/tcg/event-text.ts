/** What a terminal can show without obeying it: letters, numbers, marks and spaces of any language, no control or direction characters. */
const SHOWABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]*$/u

const ascii = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const wide = new TextDecoder('utf-16le', { fatal: true, ignoreBOM: true })

/**
 * Bytes as text, with or without one zero byte behind it.
 *
 * @param bytes untrusted
 * @returns undefined where it is no text, or text that cannot be shown
 */
export function textIn(bytes: Uint8Array): string | undefined {
  return decoded(ascii, bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes)
}

/** The same of UTF-16, little-endian, as UEFI writes text. */
export function wideTextIn(bytes: Uint8Array): string | undefined {
  if (bytes.length % 2 !== 0) return undefined
  const ends = bytes.length >= 2 && bytes.at(-1) === 0 && bytes.at(-2) === 0
  return decoded(wide, ends ? bytes.subarray(0, -2) : bytes)
}

function decoded(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    const text = decoder.decode(bytes)
    return text !== '' && SHOWABLE.test(text) ? text : undefined
  } catch {
    return undefined
  }
}
