import { concat, equal, fromHex } from '../core/bytes.ts'

/**
 * The public area of an RSA-2048 EK up to its modulus: template L-1 of the TCG EK Credential Profile 2.6 (B.3.3), RSA,
 * SHA-256, fixedTPM, fixedParent, sensitiveDataOrigin, adminWithPolicy, restricted, decrypt, PolicySecret of the
 * endorsement hierarchy, AES-128-CFB, no scheme, 2048 bits, the exponent 65537.
 */
const EK_PREFIX = fromHex(
  '0x0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa00060080004300100800000000000100',
)
const MODULUS_BYTES = 256

/** The TPMT_PUBLIC from which the TPM makes its EK again, always the same one: its modulus all zero. */
export const EK_TEMPLATE: Uint8Array = concat(EK_PREFIX, new Uint8Array(MODULUS_BYTES))

/**
 * The RSA modulus of an EK, 256 bytes, or undefined where the public area is not that of an EK by `EK_TEMPLATE`.
 *
 * @param ekPublic TPMT_PUBLIC, untrusted
 */
export function ekModulus(ekPublic: Uint8Array): Uint8Array | undefined {
  const isEk = ekPublic.length === EK_TEMPLATE.length && equal(ekPublic.subarray(0, EK_PREFIX.length), EK_PREFIX)
  return isEk ? ekPublic.subarray(EK_PREFIX.length) : undefined
}
