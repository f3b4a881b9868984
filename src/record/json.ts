/** Attestry's JSON: bigints are decimal strings. Indented where `space` says so. */
export function stringify(value: unknown, space?: number): string {
  return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? part.toString() : part), space)
}
