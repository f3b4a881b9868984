import { messageOf } from '../core/error.ts'

/** Why a file could not be opened, in the system's words without the path, which whoever tells it has said. */
export function fileFault(cause: unknown): string {
  const [, words] = /^[A-Z0-9_]+: (.*?), \w+(?: '.*')?$/s.exec(messageOf(cause)) ?? []
  return words ?? messageOf(cause)
}
