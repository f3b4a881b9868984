import { equal } from '../core/bytes.ts'
import { ENDORSEMENT_TEMPLATES, type EndorsementTemplate, type TemplateName } from './endorsement-template.ts'
import { TcgError } from './error.ts'
import type { TpmPublic } from './public.ts'

/**
 * The templates of which there is one for each kind of key: RSA-2048 and P-256 of the low range, the others of the high range.
 *
 * An EK certificate vouches for the bare key, and credential activation works whatever the attributes and the policy say. So one
 * template for each kind of key is what makes the public area, and with it the hostId, follow from the certified key. H-1 and H-2
 * are the high range's twins of L-1 and L-2: whoever takes both lets one TPM be two hosts, unless the TPM itself shows the EK's
 * name (an AK of it that certifies the EK).
 */
export const UNAMBIGUOUS_TEMPLATES: ReadonlySet<TemplateName> = new Set(['L-1', 'L-2', 'H-3', 'H-4', 'H-6', 'H-7'])

/**
 * The template of the TCG EK Credential Profile by which an EK was made: its public area is the template's, to the bit.
 *
 * A TPM may hold a template of its manufacturer's own in NV (0x01C00004, 0x01C0000C). An EK by such a one is refused here, unless
 * it differs in nothing but the unique field, which the key replaces: attributes or a policy of anybody's choosing would make a
 * hostId of anybody's choosing around the same certified key.
 *
 * @param allowed the templates that are taken
 * @throws TcgError `EK_TEMPLATE`, with what is different
 */
export function endorsementTemplateOf(
  key: TpmPublic,
  allowed: ReadonlySet<TemplateName> = UNAMBIGUOUS_TEMPLATES,
): TemplateName {
  const sameKind = Object.values(ENDORSEMENT_TEMPLATES).filter((template) => isKind(key, template))
  const made = sameKind.find((template) => differences(key, template).length === 0)
  if (made !== undefined && allowed.has(made.name)) return made.name
  if (made !== undefined) throw new TcgError('EK_TEMPLATE', `the template ${made.name} was not asked for`)
  const [nearest] = sameKind
  if (nearest === undefined) throw new TcgError('EK_TEMPLATE', 'the TCG has no template for such a key')
  const different = differences(key, nearest).join(', ')
  throw new TcgError('EK_TEMPLATE', `expected the TCG's template ${nearest.name}, found another ${different}`)
}

/**
 * Returns the key where it was made by a template that is unambiguous for its kind of key.
 *
 * @throws TcgError `EK_TEMPLATE`
 */
export function requireEndorsementKey<Key extends TpmPublic>(key: Key): Key {
  endorsementTemplateOf(key)
  return key
}

function isKind(key: TpmPublic, { key: kind }: EndorsementTemplate): boolean {
  if (key.type === 'rsa') return kind.type === 'rsa' && kind.bits === key.bits
  return kind.type === 'ecc' && kind.curve === key.curve
}

function differences(key: TpmPublic, template: EndorsementTemplate): readonly string[] {
  return [
    key.nameAlgorithm !== template.nameAlgorithm && 'name algorithm',
    key.attributes !== template.attributes && 'attributes',
    !equal(key.authPolicy, template.authPolicy) && 'policy',
    key.aesBits !== template.aesBits && 'symmetric algorithm',
    key.scheme !== undefined && 'scheme',
  ].filter((part) => part !== false)
}
