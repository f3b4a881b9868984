import { Pkcs11Error } from './error.ts'

/** `ledger`: a secp256k1 key that signs. `data`: an AES-256 key that encrypts data. */
export type KeyKind = 'ledger' | 'data'

/** What a key's label says: `attestry/data/v3` is version 3 of the data key of `attestry`. */
export interface KeyLabel {
  readonly prefix: string
  readonly kind: KeyKind
  /** From 1, within 32 bits. */
  readonly version: number
}

/** @returns nothing where the text is no label of Attestry's */
export function readLabel(text: string): KeyLabel | undefined {
  const [, prefix, kind, digits] = /^([a-z0-9-]{1,64})\/(ledger|data)\/v([1-9][0-9]{0,9})$/.exec(text) ?? []
  const version = Number(digits)
  if (prefix === undefined || version > 0xffff_ffff || (kind !== 'ledger' && kind !== 'data')) return undefined
  return { prefix, kind, version }
}

/** @throws Pkcs11Error KEY_LABEL_INVALID */
export function parseLabel(text: string, kind?: KeyKind): KeyLabel {
  const label = readLabel(text)
  if (label === undefined || (kind !== undefined && label.kind !== kind)) {
    throw new Pkcs11Error('KEY_LABEL_INVALID', `expected a label like attestry/${kind ?? 'ledger'}/v1, found ${text}`)
  }
  return label
}

export function formatLabel({ prefix, kind, version }: KeyLabel): string {
  return `${prefix}/${kind}/v${version}`
}
