import pkcs11js, { type Handle, type Template } from 'pkcs11js'
import { Pkcs11Error } from './error.ts'
import type { Token } from './token.ts'

/** DER of the object identifier 1.3.132.0.10 (SEC 2, secp256k1). */
export const SECP256K1 = Buffer.from('06052b8104000a', 'hex')

/**
 * What a kind of object must be. The flags are set when it is made, all of them explicitly, for the modules' defaults
 * are unsafe; and they are read back whenever it is found.
 */
export interface ObjectTemplate {
  readonly objectClass: number
  readonly keyType: number
  readonly flags: readonly (readonly [name: string, type: number, value: boolean])[]
  /** Flags that the module sets by itself, and that cannot be asked for. Its claim, not a proof. */
  readonly claimed: readonly (readonly [name: string, type: number, value: boolean])[]
}

const bornInside = [
  ['LOCAL', pkcs11js.CKA_LOCAL, true],
  ['ALWAYS_SENSITIVE', pkcs11js.CKA_ALWAYS_SENSITIVE, true],
  ['NEVER_EXTRACTABLE', pkcs11js.CKA_NEVER_EXTRACTABLE, true],
] as const

const keptInside = [
  ['TOKEN', pkcs11js.CKA_TOKEN, true],
  ['PRIVATE', pkcs11js.CKA_PRIVATE, true],
  ['SENSITIVE', pkcs11js.CKA_SENSITIVE, true],
  ['EXTRACTABLE', pkcs11js.CKA_EXTRACTABLE, false],
  ['MODIFIABLE', pkcs11js.CKA_MODIFIABLE, false],
  // Where it is missing, a copy may be given other attributes.
  ['COPYABLE', pkcs11js.CKA_COPYABLE, false],
  ['DERIVE', pkcs11js.CKA_DERIVE, false],
  ['UNWRAP', pkcs11js.CKA_UNWRAP, false],
] as const

/** A private key that signs, and does nothing else. */
export const LEDGER_PRIVATE_KEY: ObjectTemplate = {
  objectClass: pkcs11js.CKO_PRIVATE_KEY,
  keyType: pkcs11js.CKK_EC,
  flags: [...keptInside, ['SIGN', pkcs11js.CKA_SIGN, true], ['DECRYPT', pkcs11js.CKA_DECRYPT, false]],
  claimed: bornInside,
}

/** The public half of a ledger key. */
export const LEDGER_PUBLIC_KEY: ObjectTemplate = {
  objectClass: pkcs11js.CKO_PUBLIC_KEY,
  keyType: pkcs11js.CKK_EC,
  flags: [
    ['TOKEN', pkcs11js.CKA_TOKEN, true],
    ['PRIVATE', pkcs11js.CKA_PRIVATE, false],
    ['MODIFIABLE', pkcs11js.CKA_MODIFIABLE, false],
    ['COPYABLE', pkcs11js.CKA_COPYABLE, false],
    ['DERIVE', pkcs11js.CKA_DERIVE, false],
    ['VERIFY', pkcs11js.CKA_VERIFY, true],
    ['ENCRYPT', pkcs11js.CKA_ENCRYPT, false],
    ['WRAP', pkcs11js.CKA_WRAP, false],
  ],
  claimed: [],
}

/** A secret key that encrypts and decrypts data, and does nothing else. */
export const DATA_KEY: ObjectTemplate = {
  objectClass: pkcs11js.CKO_SECRET_KEY,
  keyType: pkcs11js.CKK_AES,
  flags: [
    ...keptInside,
    ['ENCRYPT', pkcs11js.CKA_ENCRYPT, true],
    ['DECRYPT', pkcs11js.CKA_DECRYPT, true],
    ['WRAP', pkcs11js.CKA_WRAP, false],
    ['SIGN', pkcs11js.CKA_SIGN, false],
    ['VERIFY', pkcs11js.CKA_VERIFY, false],
  ],
  claimed: bornInside,
}

/** The attributes with which an object of this kind is made. */
export function creationTemplate(template: ObjectTemplate, label: string, more: Template): Template {
  return [
    { type: pkcs11js.CKA_CLASS, value: template.objectClass },
    { type: pkcs11js.CKA_KEY_TYPE, value: template.keyType },
    { type: pkcs11js.CKA_LABEL, value: label },
    ...template.flags.map(([, type, value]) => ({ type, value })),
    ...more,
  ]
}

/**
 * Reads an object's attributes back.
 *
 * @throws Pkcs11Error KEY_ATTRIBUTES, naming each that is not as it was made
 */
export function checkAttributes(token: Token, handle: Handle, template: ObjectTemplate, label: string): void {
  const expected = [...template.flags, ...template.claimed]
  const wrong = expected
    .map(([name, type, value]) => ({ name, value, found: readFlag(token, handle, type) }))
    .filter(({ value, found }) => found !== value)
    .map(({ name, value, found }) => `${name} is ${found ?? 'missing'}, expected ${value}`)
  const keyType = readAttribute(token, handle, pkcs11js.CKA_KEY_TYPE).readUInt32LE()
  if (keyType !== template.keyType) wrong.push(`KEY_TYPE is ${keyType}, expected ${template.keyType}`)
  // A handle may have come to mean another object than the one that was found.
  const objectClass = readAttribute(token, handle, pkcs11js.CKA_CLASS).readUInt32LE()
  if (objectClass !== template.objectClass) wrong.push(`CLASS is ${objectClass}, expected ${template.objectClass}`)
  const found = readAttribute(token, handle, pkcs11js.CKA_LABEL).toString('utf8')
  if (found !== label) wrong.push(`LABEL is ${JSON.stringify(found)}`)
  if (wrong.length > 0) throw new Pkcs11Error('KEY_ATTRIBUTES', `${label} is not as it was made: ${wrong.join('; ')}`)
}

/** @throws Pkcs11Error */
export function readAttribute(token: Token, handle: Handle, type: number): Buffer {
  const [attribute] = token.call('C_GetAttributeValue', (pkcs11, session) =>
    pkcs11.C_GetAttributeValue(session, handle, [{ type }]),
  )
  return attribute?.value ?? Buffer.alloc(0)
}

/** @returns nothing where the module does not know the attribute */
export function readFlag(token: Token, handle: Handle, type: number): boolean | undefined {
  try {
    return readAttribute(token, handle, type)[0] === 1
  } catch (error) {
    if (error instanceof Pkcs11Error && error.rv === pkcs11js.CKR_ATTRIBUTE_TYPE_INVALID) return undefined
    throw error
  }
}
