import { concat } from '../core/bytes.ts'
import { BANKS } from './bank.ts'
import { digestInto, type ComputableBank } from './hash.ts'
import { OLD_DIGEST, OLD_NAME } from './ima-template.ts'

/** A template's name and data, as a log has them. */
export interface HashedTemplate {
  /** The template's name: untrusted, no digest covers it. */
  readonly template: string
  /** The template data, as the log has it. */
  readonly data: Uint8Array
}

/**
 * The hash of an entry's template, as the kernel takes it (ima_calc_field_array_hash): of the template data; for the old `ima`
 * template of the digest and the name padded with zeros to 256 bytes.
 */
export function templateHash(entry: HashedTemplate, bank: ComputableBank): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(BANKS[bank].length)
  templateHashInto(entry, bank, value, 0)
  return value
}

/** The same, written to `target` from `offset` on, where it must have room. */
export function templateHashInto(
  { template, data }: HashedTemplate,
  bank: ComputableBank,
  target: Uint8Array,
  offset: number,
): void {
  digestInto(bank, template === 'ima' ? padded(data) : data, target, offset)
}

function padded(data: Uint8Array): Uint8Array {
  const name = new Uint8Array(OLD_NAME)
  name.set(data.subarray(OLD_DIGEST + 4))
  return concat(data.subarray(0, OLD_DIGEST), name)
}
