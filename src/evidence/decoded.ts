import { TcgError } from '../tcg/error.ts'
import { EvidenceError, type EvidenceErrorCode } from './error.ts'

/** What a decoder gives; a structure that it refuses is evidence that cannot be verified, for this reason. @throws EvidenceError `code` */
export function decoded<T>(code: EvidenceErrorCode, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    if (cause instanceof TcgError) throw new EvidenceError(code, cause.message, { cause })
    throw cause
  }
}
