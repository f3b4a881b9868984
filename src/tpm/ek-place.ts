import { ENDORSEMENT_TEMPLATES, type EndorsementTemplate } from '../tcg/endorsement-template.ts'

/** An EK by its kind of key; the first two are of the low range, and `-high` their twins of the high range. */
export type EkPlaceName = (typeof EK_PLACE_NAMES)[number]

export const EK_PLACE_NAMES = [
  'rsa-2048',
  'p-256',
  'p-384',
  'rsa-3072',
  'p-521',
  'rsa-4096',
  'rsa-2048-high',
  'p-256-high',
] as const

/** Where a TPM keeps what belongs to one EK: NV indices, and the persistent handles at which it may lie. */
export interface EkPlace {
  readonly template: EndorsementTemplate
  readonly certificate: number
  /** What goes into the template's unique field; the low range only. */
  readonly nonce: number | undefined
  /** A template of the TPM's own. */
  readonly ownTemplate: number
  readonly handles: readonly number[]
}

/**
 * Where EKs are (TCG EK Credential Profile 2.6, 2.2.2.4 and 2.2.2.5). The handles 0x81010001 and 0x81010002 are those of the TCG
 * TPM v2.0 Provisioning Guidance 1.0, 7.8; the others, which end as the index of the certificate does, are what swtpm_setup and
 * others have made of it. What lies at a handle is used only where it is that key.
 */
export const EK_PLACES: Readonly<Record<EkPlaceName, EkPlace>> = {
  'rsa-2048': low('L-1', 0x01c00002, [0x81010001]),
  'p-256': low('L-2', 0x01c0000a, [0x81010002, 0x8101000a]),
  'p-384': high('H-3', 0x01c00016),
  'rsa-3072': high('H-6', 0x01c0001c),
  'p-521': high('H-4', 0x01c00018),
  'rsa-4096': high('H-7', 0x01c0001e),
  'rsa-2048-high': high('H-1', 0x01c00012),
  'p-256-high': high('H-2', 0x01c00014),
}

/** The first EK that has a certificate is the host's: RSA-2048 of the low range before all others, as it always was. */
export const DEFAULT_EK_ORDER: readonly EkPlaceName[] = EK_PLACE_NAMES

/** Where parts of the certificate chain are: one after the other, a certificate may go over several indices. */
export const EK_CHAIN_INDICES = { first: 0x01c00100, last: 0x01c001ff }

function low(template: 'L-1' | 'L-2', certificate: number, handles: readonly number[]): EkPlace {
  const ownTemplate = certificate + 2
  return { template: ENDORSEMENT_TEMPLATES[template], certificate, nonce: certificate + 1, ownTemplate, handles }
}

function high(template: keyof typeof ENDORSEMENT_TEMPLATES, certificate: number): EkPlace {
  const handles = [0x81010000 + (certificate & 0xff)]
  return {
    template: ENDORSEMENT_TEMPLATES[template],
    certificate,
    nonce: undefined,
    ownTemplate: certificate + 1,
    handles,
  }
}
