/** Algorithm identifiers that Attestry knows (TCG Algorithm Registry, TPM_ALG_ID). */
export const TPM_ALG = {
  RSA: 0x0001,
  AES: 0x0006,
  SHA256: 0x000b,
  SHA384: 0x000c,
  NULL: 0x0010,
  RSASSA: 0x0014,
  ECDSA: 0x0018,
  ECC: 0x0023,
  CFB: 0x0043,
} as const

/** A hash algorithm of a PCR bank, a name or a policy. SHA-1 is not among them. */
export type HashName = 'sha256' | 'sha384'

/** Identifier and digest length, in bytes, of each hash algorithm. */
export const HASHES: Readonly<Record<HashName, { readonly algorithm: number; readonly length: number }>> = {
  sha256: { algorithm: TPM_ALG.SHA256, length: 32 },
  sha384: { algorithm: TPM_ALG.SHA384, length: 48 },
}

/** The hash algorithm with an identifier, or undefined for one that is not allowed. */
export function hashNameOf(algorithm: number): HashName | undefined {
  if (algorithm === TPM_ALG.SHA256) return 'sha256'
  if (algorithm === TPM_ALG.SHA384) return 'sha384'
  return undefined
}
