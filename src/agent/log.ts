import { stringify } from '../record/json.ts'

export type LogLevel = 'info' | 'warn' | 'error'

/**
 * Tells of one event. Fields hold codes and public identifiers, never data, key material or PINs.
 *
 * @param event what happened, as a stable word: `batch.confirmed`
 */
export type Log = (level: LogLevel, event: string, fields?: Readonly<Record<string, unknown>>) => void

/** A log of one JSON object a line. */
export function jsonLog(write: (line: string) => void): Log {
  return (level, event, fields = {}) =>
    write(`${stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`)
}

/** What may be told of an error: its class, its code and its message, and the same of what caused it. */
export function errorFields(error: unknown): Readonly<Record<string, unknown>> {
  if (!(error instanceof Error)) return { error: typeof error }
  const code = (error as { code?: unknown }).code
  return {
    error: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    message: error.message,
    ...(error.cause === undefined ? {} : { cause: errorFields(error.cause) }),
  }
}
