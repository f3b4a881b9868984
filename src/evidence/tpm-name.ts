import { ReadError } from '../core/reader.ts'
import { childrenOf, DER, tagged, type DerValue } from './der.ts'
import { oidOf } from './x509-extension.ts'

/** What a certificate says of its TPM, each as it stands and as often as it stands. Untrusted until the chain is verified. */
export interface TpmName {
  /** `id:` and the vendor's id in hexadecimal. */
  readonly manufacturers: readonly string[]
  readonly models: readonly string[]
  /** `id:` and the firmware's version in hexadecimal. */
  readonly versions: readonly string[]
}

const ATTRIBUTES = { manufacturers: '2.23.133.2.1', models: '2.23.133.2.2', versions: '2.23.133.2.3' }
const DIRECTORY_NAME = 0xa4
const STRINGS: readonly number[] = [DER.UTF8_STRING, DER.PRINTABLE_STRING, DER.IA5_STRING]
const MAX_TEXT = 256

/**
 * The TPM's manufacturer, model and version in a subjectAltName (TCG EK Credential Profile 2.6, 3.2.9, "Subject Alternative
 * Name"): attributes of its directory names, in one set or in several.
 *
 * @param subjectAltName untrusted; GeneralNames
 * @throws ReadError
 */
export function tpmNameOf(subjectAltName: DerValue | undefined): TpmName {
  const attributes = subjectAltName === undefined ? [] : attributesOf(subjectAltName)
  const all = (type: string) => attributes.filter((attribute) => attribute.type === type).map(({ text }) => text)
  return {
    manufacturers: all(ATTRIBUTES.manufacturers),
    models: all(ATTRIBUTES.models),
    versions: all(ATTRIBUTES.versions),
  }
}

function attributesOf(names: DerValue): readonly { readonly type: string; readonly text: string }[] {
  return childrenOf(tagged(names, DER.SEQUENCE))
    .filter(({ tag }) => tag === DIRECTORY_NAME)
    .flatMap((directoryName) => childrenOf(directoryName))
    .flatMap((name) => childrenOf(tagged(name, DER.SEQUENCE)))
    .flatMap((set) => childrenOf(tagged(set, DER.SET)))
    .flatMap((pair) => {
      const [type, value] = childrenOf(tagged(pair, DER.SEQUENCE))
      if (type === undefined || value === undefined) throw new ReadError('expected an attribute and its value')
      return STRINGS.includes(value.tag) ? [{ type: oidOf(type), text: textOf(value.content) }] : []
    })
}

function textOf(content: Uint8Array): string {
  if (content.length > MAX_TEXT) throw new ReadError(`expected a name of at most ${MAX_TEXT} bytes`)
  return new TextDecoder().decode(content)
}
