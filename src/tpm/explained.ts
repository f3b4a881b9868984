import type { TpmConnection } from './commands.ts'
import { asTpmError, TpmError } from './error.ts'
import { lockoutInWords, readLockout } from './lockout.ts'
import { hasRc, RC } from './rc.ts'
import { knownCode } from './reactions.ts'

/**
 * An error with what the table of return codes knows about it in its message, and where it counts towards lockout, or
 * is one, with the TPM's own figures. The connection, where there is one, is asked,
 * and about to be closed.
 */
export function explained(error: unknown, connection: TpmConnection | undefined): unknown {
  const told = asTpmError(error)
  if (!(told instanceof TpmError)) return error
  const words = [knownCode(error)?.meaning, lockoutWords(error, connection)].filter((one) => one !== undefined)
  if (words.length === 0) return told
  return new TpmError(told.code, `${told.message}: ${words.join('; ')}`, told.detail, { cause: error })
}

function lockoutWords(error: unknown, connection: TpmConnection | undefined): string | undefined {
  if (connection === undefined) return undefined
  if (!hasRc(error, RC.LOCKOUT) && !hasRc(error, RC.AUTH_FAIL)) return undefined
  try {
    return `the TPM is ${lockoutInWords(readLockout(connection))}`
  } catch {
    // The refusal itself is worth more than why its figures cannot be had.
    return undefined
  }
}
