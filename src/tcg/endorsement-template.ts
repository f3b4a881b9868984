import { fromHex } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from './algorithm.ts'
import { CURVES, NAME_HASHES, OBJECT_ATTRIBUTES, type Curve, type NameHash, type RsaBits } from './public.ts'

/** A template's name in the TCG EK Credential Profile. SM2's, H-5, is not among them: SM3 is not believed here. */
export type TemplateName = 'L-1' | 'L-2' | 'H-1' | 'H-2' | 'H-3' | 'H-4' | 'H-6' | 'H-7'

/** What an EK's public area says beside the key itself. */
export interface EndorsementTemplate {
  readonly name: TemplateName
  readonly nameAlgorithm: NameHash
  readonly attributes: number
  readonly authPolicy: Uint8Array
  readonly aesBits: 128 | 256
  readonly key:
    | { readonly type: 'rsa'; readonly bits: RsaBits }
    | { readonly type: 'ecc'; readonly curve: Curve; readonly bytes: number }
}

const { fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, adminWithPolicy, restricted, decrypt } =
  OBJECT_ATTRIBUTES
const STORAGE = fixedTPM | fixedParent | sensitiveDataOrigin | adminWithPolicy | restricted | decrypt

/** PolicyA: PolicySecret of the endorsement hierarchy (TCG EK Credential Profile 2.6, B.3.2). */
const LOW = {
  nameAlgorithm: 'sha256',
  attributes: STORAGE,
  authPolicy: fromHex('0x837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 32),
  aesBits: 128,
} as const

/** PolicyB: that, or the policy in an NV index (TCG EK Credential Profile 2.6, B.4.2 and B.6). The owner may use the key, too. */
const HIGH_SHA256 = {
  nameAlgorithm: 'sha256',
  attributes: STORAGE | userWithAuth,
  authPolicy: fromHex('0xca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0', 32),
  aesBits: 128,
} as const
const HIGH_SHA384 = {
  nameAlgorithm: 'sha384',
  attributes: STORAGE | userWithAuth,
  authPolicy: fromHex(
    '0xb26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
    48,
  ),
  aesBits: 256,
} as const
const HIGH_SHA512 = {
  nameAlgorithm: 'sha512',
  attributes: STORAGE | userWithAuth,
  authPolicy: fromHex(
    '0xb8221ca69e8550a4914de3faa6a18c072cc01208073a928d5d66d59ef79e49a429c41a6b269571d57edb25fbdb1838425608b413cd616a5f6db5b6071af99bea',
    64,
  ),
  aesBits: 256,
} as const

const rsa = (bits: RsaBits) => ({ type: 'rsa', bits }) as const
const ecc = (curve: Curve, bytes: number) => ({ type: 'ecc', curve, bytes }) as const

/** The templates of the TCG EK Credential Profile 2.6: B.3.3, B.3.4, and B.4.4.1 to B.4.4.7. All are storage keys. */
export const ENDORSEMENT_TEMPLATES: Readonly<Record<TemplateName, EndorsementTemplate>> = {
  'L-1': { name: 'L-1', ...LOW, key: rsa(2048) },
  'L-2': { name: 'L-2', ...LOW, key: ecc('P-256', 32) },
  'H-1': { name: 'H-1', ...HIGH_SHA256, key: rsa(2048) },
  'H-2': { name: 'H-2', ...HIGH_SHA256, key: ecc('P-256', 32) },
  'H-3': { name: 'H-3', ...HIGH_SHA384, key: ecc('P-384', 48) },
  'H-4': { name: 'H-4', ...HIGH_SHA512, key: ecc('P-521', 66) },
  'H-6': { name: 'H-6', ...HIGH_SHA384, key: rsa(3072) },
  'H-7': { name: 'H-7', ...HIGH_SHA512, key: rsa(4096) },
}

/**
 * The TPMT_PUBLIC from which a TPM makes this EK, always the same one for the same seed and the same `unique`.
 *
 * @param nonce what fills the front of the unique field: the EK nonce where the TPM has one, else nothing. The low range's
 * unique field is zero-padded to the key's length, the high range's is empty (TCG EK Credential Profile 2.6, B.3 and B.4)
 * @throws RangeError where the nonce is longer than the field
 */
export function encodeEndorsementTemplate(
  template: EndorsementTemplate,
  nonce: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const { nameAlgorithm, attributes, authPolicy, aesBits, key } = template
  const writer = new Writer()
    .u16(key.type === 'rsa' ? TPM_ALG.RSA : TPM_ALG.ECC)
    .u16(NAME_HASHES[nameAlgorithm].algorithm)
    .u32(attributes)
    .sized16(authPolicy)
    .u16(TPM_ALG.AES)
    .u16(aesBits)
    .u16(TPM_ALG.CFB)
    .u16(TPM_ALG.NULL)
  const unique = uniqueField(template, nonce)
  if (key.type === 'rsa') return writer.u16(key.bits).u32(0).sized16(unique).finish()
  const y = new Uint8Array(unique.length)
  return writer.u16(CURVES[key.curve].id).u16(TPM_ALG.NULL).sized16(unique).sized16(y).finish()
}

function uniqueField({ name, key }: EndorsementTemplate, nonce: Uint8Array): Uint8Array {
  const keyBytes = key.type === 'rsa' ? key.bits / 8 : key.bytes
  const length = name.startsWith('L') ? keyBytes : 0
  if (nonce.length > length) throw new RangeError(`expected a nonce of at most ${length} bytes, found ${nonce.length}`)
  const unique = new Uint8Array(length)
  unique.set(nonce)
  return unique
}
