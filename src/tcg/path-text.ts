const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What must not reach a terminal or a report as it is: controls, line and paragraph ends, and what turns the direction of writing. */
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\\]/gu

/**
 * A path or name as text that can be printed and told back: `\xNN` for each byte of a character that cannot be shown, `\\` for a
 * backslash; bytes that are not UTF-8 are all shown so, but for printable ASCII.
 *
 * @param bytes untrusted
 */
export function pathText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes).replace(UNSAFE, (character) => escape(new TextEncoder().encode(character)))
  } catch {
    return escape(bytes)
  }
}

function escape(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    if (byte === 0x5c) text += '\\\\'
    else if (byte >= 0x20 && byte < 0x7f) text += String.fromCharCode(byte)
    else text += `\\x${byte.toString(16).padStart(2, '0')}`
  }
  return text
}
