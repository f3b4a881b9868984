/**
 * Copies of a text with one byte changed each: a digit into another digit, so that most are still well-formed, anything else
 * into its neighbour.
 *
 * @param every how far they are apart; 1 changes each byte once
 */
export function* alterations(text: string, every = 1): Generator<string> {
  for (let i = 0; i < text.length; i += every) {
    const char = text.charAt(i)
    const digit = '0123456789abcdef'.indexOf(char)
    const other = digit < 0 ? String.fromCharCode(char.charCodeAt(0) ^ 1) : digit < 10 ? (digit + 1) % 10 : digit ^ 1
    const changed = typeof other === 'string' ? other : '0123456789abcdef'.charAt(other)
    yield text.slice(0, i) + changed + text.slice(i + 1)
  }
}
