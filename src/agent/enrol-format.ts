import type { Hex } from '../core/bytes.ts'
import { stringify } from '../record/json.ts'
import { EnrolError } from './enrol-error.ts'

/** Reads one member of a file. Untrusted. @throws EnrolError `ENROL_FILE_MALFORMED` */
export type Field<T> = (value: unknown, path: string) => T

/** The members of an object, in the order in which they are written. */
export type Fields = Readonly<Record<string, Field<unknown>>>

/** What a file with these members holds. */
export type ContentOf<F extends Fields> = { readonly [Name in keyof F]: ReturnType<F[Name]> }

/** A kind of file that two machines pass each other. */
export interface EnrolFormat<F extends Fields> {
  /** The file's text: JSON of its members in their order, with the format's name before them. */
  encode(content: ContentOf<F>): string
  /**
   * Parses a file's text: exactly as `encode` writes it, so that there is one text for one content.
   *
   * @param text untrusted
   * @throws EnrolError `ENROL_FILE_MALFORMED`, `ENROL_FILE_KIND`
   */
  readonly parse: (text: string) => ContentOf<F>
}

/** The largest file, in characters. */
export const MAX_ENROL_FILE = 262_144
const PREFIX = 'attestry/enrol-'
const KINDS = ['request', 'challenge', 'answer', 'registration', 'state'] as const

/** What a file is. */
export type EnrolFileKind = (typeof KINDS)[number]

/** Declares a kind of file. */
export function enrolFormat<F extends Fields>(kind: EnrolFileKind, fields: F): EnrolFormat<F> {
  const read = object(fields)
  const encode = (content: ContentOf<F>) => {
    const ordered = Object.keys(fields).map((name) => [name, content[name]])
    return `${stringify({ format: formatOf(kind), ...Object.fromEntries(ordered) }, 1)}\n`
  }
  const parse = (text: string) => {
    const { format, ...rest } = membersOf(text)
    const found = kindNamed(format)
    if (found !== kind)
      throw new EnrolError('ENROL_FILE_KIND', `expected a file ${formatOf(kind)}, found ${String(format)}`)
    const content = read(rest, kind)
    if (encode(content) !== text) throw malformed(kind, 'the file byte for byte as it was written')
    return content
  }
  return { encode, parse }
}

/** What a file says that it is. @param text untrusted. @throws EnrolError `ENROL_FILE_MALFORMED` */
export function enrolFileKind(text: string): EnrolFileKind {
  return kindNamed(membersOf(text)['format'])
}

/** An object with exactly these members. */
export function object<F extends Fields>(fields: F): Field<ContentOf<F>> {
  return (value, path) => {
    const members = membersAt(value, path)
    const known = Object.keys(members).every((name) => Object.hasOwn(fields, name))
    if (!known) throw malformed(path, `no members but ${Object.keys(fields).join(', ')}`)
    const read = Object.entries(fields).map(([name, field]) => [name, field(members[name], `${path}.${name}`)])
    return Object.fromEntries(read) as ContentOf<F>
  }
}

/** Bytes as lower-case hexadecimal; at least `least`, at most `most` of them. */
export function bytes(least: number, most = least): Field<Hex> {
  return (value, path) => {
    const fits = typeof value === 'string' && value.length >= 2 + 2 * least && value.length <= 2 + 2 * most
    if (fits && /^0x(?:[0-9a-f]{2})*$/.test(value)) return value as Hex
    const length = least === most ? String(least) : `${least} to ${most}`
    throw malformed(path, `${length} bytes of lower-case hexadecimal with 0x in front`)
  }
}

/** A 64-bit number as a decimal string. */
export function u64(value: unknown, path: string): bigint {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,19})$/.test(value) && BigInt(value) < 2n ** 64n) {
    return BigInt(value)
  }
  throw malformed(path, 'a 64-bit number as a decimal string')
}

/** At most `most` of something. */
export function list<T>(most: number, field: Field<T>): Field<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > most) throw malformed(path, `a list of at most ${most}`)
    return value.map((one: unknown, i) => field(one, `${path}[${i}]`))
  }
}

function membersOf(text: string): Readonly<Record<string, unknown>> {
  if (text.length > MAX_ENROL_FILE) throw malformed('the file', `at most ${MAX_ENROL_FILE} characters`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    // The cause's words have some of the file in them: on a terminal a stranger's bytes can be commands.
    throw malformed('the file', 'JSON', cause)
  }
  return membersAt(value, 'the file')
}

function membersAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed(path, 'an object')
  // Own members only: none of them is taken from a prototype.
  return Object.assign(Object.create(null) as Record<string, unknown>, value)
}

function formatOf(kind: EnrolFileKind): string {
  return `${PREFIX}${kind}/1`
}

function kindNamed(format: unknown): EnrolFileKind {
  const kind = KINDS.find((one) => formatOf(one) === format)
  if (kind === undefined) throw malformed('format', `"${PREFIX}…/1"`)
  return kind
}

function malformed(path: string, expected: string, cause?: unknown): EnrolError {
  return new EnrolError('ENROL_FILE_MALFORMED', `${path}: expected ${expected}`, { cause })
}
