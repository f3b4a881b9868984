import { ImaError } from './ima-error.ts'

/** A template's fields, as the kernel writes them one after the other (Linux, security/integrity/ima/ima_template.c). */
export type ImaField =
  | 'd'
  | 'n'
  | 'd-ng'
  | 'd-ngv2'
  | 'n-ng'
  | 'sig'
  | 'buf'
  | 'd-modsig'
  | 'modsig'
  | 'evmsig'
  | 'xattrnames'
  | 'xattrlengths'
  | 'xattrvalues'
  | 'iuid'
  | 'igid'
  | 'imode'

/** What a template's data is made of. `ima` alone writes its fields without lengths where it hashes them. */
export const IMA_TEMPLATES: Readonly<Record<string, readonly ImaField[]>> = {
  ima: ['d', 'n'],
  'ima-ng': ['d-ng', 'n-ng'],
  'ima-ngv2': ['d-ngv2', 'n-ng'],
  'ima-sig': ['d-ng', 'n-ng', 'sig'],
  'ima-sigv2': ['d-ngv2', 'n-ng', 'sig'],
  'ima-buf': ['d-ng', 'n-ng', 'buf'],
  'ima-modsig': ['d-ng', 'n-ng', 'sig', 'd-modsig', 'modsig'],
  'evm-sig': ['d-ng', 'n-ng', 'evmsig', 'xattrnames', 'xattrlengths', 'xattrvalues', 'iuid', 'igid', 'imode'],
}

/** The longest name, in bytes (MAX_TEMPLATE_NAME_LEN). */
export const MAX_TEMPLATE_NAME = 255

/** The fields of a template, undefined for one that is not known. */
export function fieldsOf(template: string): readonly ImaField[] | undefined {
  return Object.hasOwn(IMA_TEMPLATES, template) ? IMA_TEMPLATES[template] : undefined
}

/** Requires a name that a kernel can have printed. @throws ImaError `IMA_MALFORMED` */
export function requireTemplateName(name: string): string {
  if (!/^[!-~]{1,255}$/.test(name)) {
    throw new ImaError('IMA_MALFORMED', `expected a template name of 1 to ${MAX_TEMPLATE_NAME} printable characters`)
  }
  return name
}

/** The length of the digest in front of the old `ima` template's data: SHA-1, or MD5 with zeros behind it. */
export const OLD_DIGEST = 20
/** What the old `ima` template pads a name to where it hashes it: IMA_EVENT_NAME_LEN_MAX and its end. */
export const OLD_NAME = 256

/**
 * The data of each of a template's fields, in the template's order.
 *
 * @param template its name, for messages
 * @param fields the template's
 * @param data untrusted: the template data as the log has it
 * @throws ImaError `IMA_FIELD` where the fields do not fill the data exactly
 */
export function splitFields(template: string, fields: readonly ImaField[], data: Uint8Array): readonly Uint8Array[] {
  const values: Uint8Array[] = []
  let offset = 0
  for (const field of fields) {
    let length = OLD_DIGEST
    if (field !== 'd') {
      if (data.length - offset < 4) throw missing(template, field)
      length = readLength(data, offset)
      offset += 4
    }
    if (data.length - offset < length) throw missing(template, field)
    values.push(data.subarray(offset, offset + length))
    offset += length
  }
  if (offset !== data.length) {
    throw new ImaError('IMA_FIELD', `${template}: ${data.length - offset} bytes behind the last field`)
  }
  return values
}

/** A little-endian number of 32 bits that is there. */
export function readLength(bytes: Uint8Array, offset: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [bytes[offset], bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]]
  return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0
}

function missing(template: string, field: ImaField): ImaError {
  return new ImaError('IMA_FIELD', `${template}: the field ${field} reaches beyond the template data`)
}
