/**
 * The base of every error class in Attestry: a stable reason code beside the words.
 *
 * Each boundary declares one subclass with a closed union of codes. Messages say what was expected and what was found;
 * they never carry data, plaintext, key material or PINs.
 */
export abstract class CodedError<Code extends string = string> extends Error {
  /** Stable, machine-readable, in upper case with underscores. */
  readonly code: Code

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
    this.code = code
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}

/** The reason code of anything that was thrown, undefined where it has none. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof CodedError ? String(thrown.code) : undefined
}
