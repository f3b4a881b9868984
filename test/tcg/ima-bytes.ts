import { concat } from '../../src/core/bytes.ts'
import type { ComputableBank } from '../../src/tcg/hash.ts'
import { templateHash } from '../../src/tcg/ima-hash.ts'

/** A number of 32 bits as IMA writes it. */
export function u32(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** Text, one byte a character. */
export function text(characters: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(characters, 'latin1'))
}

/** A field: its length and its bytes. */
export function field(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = concat(...parts)
  return concat(u32(bytes.length), bytes)
}

/** A file's digest, of 32 times one byte. */
export function digestField(byte: number, words = 'sha256:\0'): Uint8Array<ArrayBuffer> {
  return field(text(words), new Uint8Array(32).fill(byte))
}

/** A name with its end. */
export function nameField(name: string): Uint8Array<ArrayBuffer> {
  return field(text(`${name}\0`))
}

export interface EntryChanges {
  readonly template?: string
  readonly pcr?: number
  readonly bank?: ComputableBank
  readonly violation?: boolean
  /** Instead of the hash of the data. */
  readonly digest?: Uint8Array
}

/** One entry as a kernel writes it; of `ima-ng` unless told otherwise. */
export function imaEntry(data: Uint8Array, changes: EntryChanges = {}): Uint8Array<ArrayBuffer> {
  const { template = 'ima-ng', pcr = 10, bank = 'sha1', violation = false } = changes
  const hash = changes.digest ?? templateHash({ template, data }, bank)
  const logged = violation ? new Uint8Array(hash.length) : hash
  const length = template === 'ima' ? new Uint8Array() : u32(data.length)
  return concat(u32(pcr), logged, field(text(template)), length, data)
}

/** One entry of each template that is known. */
export const ENTRY_OF_EACH: readonly Uint8Array[] = [
  imaEntry(concat(new Uint8Array(20).fill(7), u32(14), text('boot_aggregate')), { template: 'ima' }),
  imaEntry(concat(digestField(1), nameField('/bin/one'))),
  imaEntry(concat(digestField(2, 'verity:sha256:\0'), nameField('/bin/two')), { template: 'ima-ngv2' }),
  imaEntry(concat(digestField(3), nameField('/bin/three'), field(Uint8Array.of(3, 2, 4))), { template: 'ima-sig' }),
  imaEntry(concat(digestField(4, 'ima:sha256:\0'), nameField('/bin/four'), field()), { template: 'ima-sigv2' }),
  imaEntry(concat(digestField(5), nameField('kexec-cmdline'), field(text('root=none'))), { template: 'ima-buf' }),
  imaEntry(
    concat(digestField(6), nameField('/lib/six.ko'), field(), digestField(6), field(Uint8Array.of(0x30, 0x82))),
    { template: 'ima-modsig' },
  ),
  imaEntry(
    concat(
      digestField(7),
      nameField('/bin/seven'),
      field(Uint8Array.of(5, 2)),
      nameField('security.ima|security.selinux'),
      field(u32(1), u32(2)),
      field(Uint8Array.of(1, 2, 3)),
      field(u32(1000)),
      field(u32(100)),
      field(Uint8Array.of(0xed, 0x81)),
    ),
    { template: 'evm-sig' },
  ),
]
