import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { OBJECT_ATTRIBUTES as BIT } from '../tcg/public.ts'

const P256 = 0x0003

const ATTRIBUTES =
  BIT.fixedTPM | BIT.fixedParent | BIT.sensitiveDataOrigin | BIT.userWithAuth | BIT.noDA | BIT.restricted | BIT.sign

/**
 * An AK's public area up to its point (TPMT_PUBLIC; TPM 2.0 Part 2, 12.2.4): ECC, SHA-256, no policy, no symmetric
 * algorithm, ECDSA with SHA-256, P-256, no KDF. noDA, because the key has no authorisation value that could be
 * guessed, and a first use after startup would be answered with TPM_RC_RETRY.
 */
export const AK_PREFIX: Uint8Array = new Writer()
  .u16(TPM_ALG.ECC)
  .u16(TPM_ALG.SHA256)
  .u32(ATTRIBUTES)
  .u16(0)
  .u16(TPM_ALG.NULL)
  .u16(TPM_ALG.ECDSA)
  .u16(TPM_ALG.SHA256)
  .u16(P256)
  .u16(TPM_ALG.NULL)
  .finish()

/** The TPMT_PUBLIC from which the TPM makes its AK: an empty point. */
export const AK_TEMPLATE: Uint8Array = new Writer().bytes(AK_PREFIX).u16(0).u16(0).finish()
