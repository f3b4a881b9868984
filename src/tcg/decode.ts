import { ReadError, Reader } from '../core/reader.ts'
import { TcgError } from './error.ts'

/**
 * Decodes a whole structure.
 *
 * @param what the structure's name, for messages
 * @param bytes untrusted
 * @param read reads it from the front; whatever it leaves is refused
 * @throws TcgError `MALFORMED` where bytes are missing, too many, or a length is beyond its bound; and what `read` throws
 */
export function decodeWhole<T>(what: string, bytes: Uint8Array, read: (reader: Reader) => T): T {
  const reader = new Reader(bytes)
  try {
    const value = read(reader)
    reader.end(what)
    return value
  } catch (cause) {
    if (cause instanceof ReadError) throw new TcgError('MALFORMED', `${what}: ${cause.message}`, { cause })
    throw cause
  }
}
