/**
 * A PCR bank as logs and TPMs name it. Logs carry digests for every bank that the firmware extended; what is *believed* is only
 * what a quote selects, and quotes select the banks of `HashName`: SHA-256 and SHA-384.
 */
export type BankName = 'sha1' | 'sha256' | 'sha384' | 'sha512' | 'sm3_256'

/** Identifier (TCG Algorithm Registry, TPM_ALG_ID) and digest length, in bytes, of each bank. */
export const BANKS: Readonly<Record<BankName, { readonly algorithm: number; readonly length: number }>> = {
  sha1: { algorithm: 0x0004, length: 20 },
  sha256: { algorithm: 0x000b, length: 32 },
  sha384: { algorithm: 0x000c, length: 48 },
  sha512: { algorithm: 0x000d, length: 64 },
  sm3_256: { algorithm: 0x0012, length: 32 },
}

/** The values of some PCRs of one bank, each as long as the bank's digest. */
export type PcrValues = ReadonlyMap<number, Uint8Array>

const byAlgorithm: ReadonlyMap<number, BankName> = new Map(
  (Object.keys(BANKS) as BankName[]).map((name) => [BANKS[name].algorithm, name]),
)

/** The bank with an algorithm identifier, undefined for one that is not known. */
export function bankOf(algorithm: number): BankName | undefined {
  return byAlgorithm.get(algorithm)
}
