/** What the ledger found against a record: bits of one byte (docs/formats.md, "Verdict bits"). */
export const VERDICT_BITS = [
  'VMM_UNKNOWN',
  'VMM_UNPROVEN',
  'GRANT_INVALID',
  'GRANT_OVERUSED',
  'CLOCK_NOT_FORWARD',
  'TIMESTAMP_FAR',
  'HOST_NOT_ACTIVE',
  'NV_NOT_FORWARD',
] as const

export type Verdict = (typeof VERDICT_BITS)[number]

/** The names of the bits that are set in a verdict byte. */
export function verdictsOf(byte: number): readonly Verdict[] {
  return VERDICT_BITS.filter((_, bit) => (byte >> bit) & 1)
}
