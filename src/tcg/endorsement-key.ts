import { equal, fromHex } from '../core/bytes.ts'
import type { HashName } from './algorithm.ts'
import { TcgError } from './error.ts'
import { OBJECT_ATTRIBUTES, type TpmPublic } from './public.ts'

/** What an EK's public area must say beside the key itself. */
interface Template {
  readonly nameAlgorithm: HashName
  readonly attributes: number
  readonly authPolicy: Uint8Array
  readonly aesBits: 128 | 256
}

const { fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, adminWithPolicy, restricted, decrypt } =
  OBJECT_ATTRIBUTES
const STORAGE = fixedTPM | fixedParent | sensitiveDataOrigin | adminWithPolicy | restricted | decrypt

/** Templates L-1 and L-2: PolicySecret of the endorsement hierarchy (TCG EK Credential Profile 2.6, B.3). */
const LOW_RANGE: Template = {
  nameAlgorithm: 'sha256',
  attributes: STORAGE,
  authPolicy: fromHex('0x837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa', 32),
  aesBits: 128,
}

/** Template H-3: that, or a policy in an NV index (TCG EK Credential Profile 2.6, B.4). */
const HIGH_RANGE_P384: Template = {
  nameAlgorithm: 'sha384',
  attributes: STORAGE | userWithAuth,
  authPolicy: fromHex(
    '0xb26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12',
    48,
  ),
  aesBits: 256,
}

/**
 * Returns the key where its public area is the TCG's template for such an EK, to the bit: RSA-2048 and P-256 of the low range,
 * P-384 of the high range.
 *
 * An EK certificate vouches for the bare key, and credential activation works whatever the attributes and the policy say. So one
 * template for each kind of key is what makes the public area, and with it the hostId, follow from the certified key.
 *
 * @throws TcgError `EK_TEMPLATE`
 */
export function requireEndorsementKey<Key extends TpmPublic>(key: Key): Key {
  const template = key.type === 'ecc' && key.curve === 'P-384' ? HIGH_RANGE_P384 : LOW_RANGE
  const different = [
    key.nameAlgorithm !== template.nameAlgorithm && 'name algorithm',
    key.attributes !== template.attributes && 'attributes',
    !equal(key.authPolicy, template.authPolicy) && 'policy',
    key.aesBits !== template.aesBits && 'symmetric algorithm',
    key.scheme !== undefined && 'scheme',
  ].filter((part) => part !== false)
  if (different.length > 0) {
    throw new TcgError(
      'EK_TEMPLATE',
      `expected the TCG's template for such an EK, found another ${different.join(', ')}`,
    )
  }
  return key
}
