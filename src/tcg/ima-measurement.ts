import { ImaError } from './ima-error.ts'
import { splitFields, fieldsOf, OLD_NAME, type ImaField } from './ima-template.ts'

/** What one entry says of a file or buffer. True only where the entry is covered (see `ImaEntry`). */
export interface ImaMeasurement {
  /** `ima` for a file's content, `verity` for fs-verity's digest of it; absent where the template does not say. */
  readonly digestType?: 'ima' | 'verity'
  /** The kernel's name of the hash. `sha1` for the old template, which may hold MD5. */
  readonly algorithm: string
  /** The digest of the file or buffer. */
  readonly digest: Uint8Array
  /** The file's path or the buffer's name, as bytes: any but 0. The kernel wrote `_` for each space. */
  readonly path: Uint8Array
  /** The other fields by their names: signatures and buffers, kept and not verified. */
  readonly rest: ReadonlyMap<ImaField, Uint8Array>
}

/** Digest lengths, in bytes, by the kernel's names (Linux, crypto/hash_info.c). */
const DIGEST_LENGTHS: Readonly<Record<string, number>> = {
  md4: 16,
  md5: 16,
  sha1: 20,
  rmd160: 20,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  sha224: 28,
  rmd128: 16,
  rmd256: 32,
  rmd320: 40,
  wp256: 32,
  wp384: 48,
  wp512: 64,
  tgr128: 16,
  tgr160: 20,
  tgr192: 24,
  sm3: 32,
  'sm3-256': 32,
  streebog256: 32,
  streebog512: 64,
  'sha3-256': 32,
  'sha3-384': 48,
  'sha3-512': 64,
}

/** What stands in front of a digest, and what it says. */
interface DigestKind {
  readonly algorithm: string
  readonly length: number
  readonly digestType?: 'ima' | 'verity'
}

const plain: ReadonlyMap<string, DigestKind> = new Map(
  Object.entries(DIGEST_LENGTHS).map(([algorithm, length]) => [`${algorithm}:`, { algorithm, length }]),
)
const typed: ReadonlyMap<string, DigestKind> = new Map(
  (['ima', 'verity'] as const).flatMap((digestType) =>
    Array.from(plain, ([words, kind]) => [`${digestType}:${words}`, { ...kind, digestType }] as const),
  ),
)
const LONGEST_WORDS = 'verity:streebog512:'.length

/** Lengths, in bytes, that a field may have where they are fixed. */
const FIXED: Readonly<Partial<Record<ImaField, number>>> = { iuid: 4, igid: 4, imode: 2 }
const NOTHING: ReadonlyMap<ImaField, Uint8Array> = new Map()

/**
 * Reads a known template's data.
 *
 * @param template untrusted: no digest covers the name, so that templates with the same kinds of fields pass for each other
 * @param data untrusted
 * @returns undefined where the template is not known
 * @throws ImaError `IMA_FIELD` where the kernel's templates cannot have made it
 */
export function readMeasurement(template: string, data: Uint8Array): ImaMeasurement | undefined {
  const fields = fieldsOf(template)
  if (fields === undefined) return undefined
  // Every template begins with a digest and a name.
  const [digestField = 'd-ng', nameField = 'n-ng', ...others] = fields
  const [digestValue = data, nameValue = data, ...values] = splitFields(template, fields, data)
  const path = nameField === 'n' ? readOldName(nameValue) : readString(nameField, nameValue)
  const rest =
    others.length === 0
      ? NOTHING
      : new Map(others.map((field, i) => [field, readRest(field, values[i] ?? new Uint8Array())]))
  return { ...readDigest(digestField, digestValue), path, rest }
}

/** Twenty bytes; or `sha256:`, a zero and the digest, in `d-ngv2` with `ima:` or `verity:` in front. */
function readDigest(field: ImaField, value: Uint8Array): Omit<ImaMeasurement, 'path' | 'rest'> {
  if (field === 'd') return { algorithm: 'sha1', digest: value }
  let words = ''
  let end = 0
  for (; end < LONGEST_WORDS && value[end] !== 0; end++) words += String.fromCharCode(value[end] ?? 0)
  const kind = (field === 'd-ngv2' ? typed : plain).get(words)
  if (kind === undefined || value[end] !== 0) {
    throw new ImaError('IMA_FIELD', `${field}: expected a known algorithm, a colon and a zero in front of the digest`)
  }
  const { length, ...named } = kind
  const digest = value.subarray(end + 1)
  if (digest.length !== length) {
    throw new ImaError('IMA_FIELD', `${field}: expected ${length} bytes of ${kind.algorithm}, found ${digest.length}`)
  }
  return { ...named, digest }
}

function readOldName(value: Uint8Array): Uint8Array {
  if (value.length >= OLD_NAME || value.includes(0)) {
    throw new ImaError('IMA_FIELD', `n: expected fewer than ${OLD_NAME} bytes, none of them 0`)
  }
  return value
}

function readString(field: ImaField, value: Uint8Array): Uint8Array {
  if (value.length === 0 || value.indexOf(0) !== value.length - 1) {
    throw new ImaError('IMA_FIELD', `${field}: expected a string that ends with its first 0`)
  }
  return value.subarray(0, -1)
}

function readRest(field: ImaField, value: Uint8Array): Uint8Array {
  const fixed = FIXED[field]
  if (fixed !== undefined && value.length !== fixed) {
    throw new ImaError('IMA_FIELD', `${field}: expected ${fixed} bytes, found ${value.length}`)
  }
  if (field === 'd-modsig' && value.length > 0) readDigest(field, value)
  if (field === 'xattrnames' && value.length > 0) return readString(field, value)
  if (field === 'xattrlengths' && value.length % 4 !== 0) {
    throw new ImaError('IMA_FIELD', `${field}: expected numbers of 4 bytes, found ${value.length} bytes`)
  }
  return value
}
