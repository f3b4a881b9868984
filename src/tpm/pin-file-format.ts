import { fromHex } from '../core/bytes.ts'
import { PinError, type PinErrorCode } from './pin-error.ts'

/** What a PIN's opening is approved for: the policyRef of each approval and of the sealed object. */
export const PIN_POLICY_REF = 'attestry/pin/1'

/** The largest approval or sealed PIN, in bytes. */
export const MAX_PIN_FILE_BYTES = 65_536

/**
 * Reads a JSON object that has exactly these members.
 *
 * @param bytes untrusted
 * @throws PinError with `code`
 */
export function readMembers<Name extends string>(
  bytes: Uint8Array,
  names: readonly Name[],
  code: PinErrorCode,
): Readonly<Record<Name, unknown>> {
  if (bytes.length > MAX_PIN_FILE_BYTES) {
    throw new PinError(code, `expected at most ${MAX_PIN_FILE_BYTES} bytes, found ${bytes.length}`)
  }
  const value = parse(bytes, code)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PinError(code, 'expected one JSON object')
  }
  const found = Object.keys(value).sort()
  if (found.join() !== names.toSorted().join()) {
    throw new PinError(code, `expected the members ${names.join(', ')}`)
  }
  return value as Readonly<Record<Name, unknown>>
}

/** A member that is hexadecimal with 0x in front, of `min` to `max` bytes. @throws PinError with `code` */
export function hexMember(value: unknown, name: string, min: number, max: number, code: PinErrorCode): Uint8Array {
  try {
    const bytes = fromHex(typeof value === 'string' ? value : '')
    if (bytes.length >= min && bytes.length <= max) return bytes
  } catch (cause) {
    throw new PinError(code, `${name}: expected hexadecimal with 0x in front`, { cause })
  }
  const length = min === max ? `${min}` : `${min} to ${max}`
  throw new PinError(code, `${name}: expected ${length} bytes of hexadecimal`)
}

function parse(bytes: Uint8Array, code: PinErrorCode): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new PinError(code, 'expected JSON in UTF-8', { cause })
  }
}
