import { createHash } from 'node:crypto'
import { keccak256 } from 'ethers/crypto'
import pkcs11js, { type Handle } from 'pkcs11js'
import { type Hex, toHex } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import type { HsmKey } from './calls.ts'
import { Pkcs11Error } from './error.ts'
import { type KeyLabel, formatLabel, parseLabel, readLabel } from './label.ts'
import { sign } from './sign.ts'
import {
  DATA_KEY,
  LEDGER_PRIVATE_KEY,
  LEDGER_PUBLIC_KEY,
  type ObjectTemplate,
  SECP256K1,
  checkAttributes,
  creationTemplate,
  readAttribute,
  readFlag,
} from './templates.ts'
import type { Token } from './token.ts'

/** A ledger key that was found, checked, and has signed. */
export interface FoundLedgerKey {
  readonly label: string
  readonly handle: Handle
  /** The uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array
  readonly address: Hex
}

const AES_256_BYTES = 32
/** More objects of one kind than any token has: a module that finds more never stops finding them. */
const MAX_FOUND = 100_000

/**
 * Finds a ledger key by its label, reads its attributes back, and has it sign.
 *
 * @throws Pkcs11Error KEY_NOT_FOUND, KEY_AMBIGUOUS, KEY_ATTRIBUTES, SIGNATURE_WRONG
 */
export function findLedgerKey(token: Token, label: string): FoundLedgerKey {
  parseLabel(label, 'ledger')
  const handle = findOne(token, LEDGER_PRIVATE_KEY, label)
  const publicHandle = findOne(token, LEDGER_PUBLIC_KEY, label)
  const publicKey = readPoint(token, publicHandle, label)
  const key = {
    label,
    handle,
    publicKey,
    address: toHex(Buffer.from(keccak256(publicKey.subarray(1)).slice(26), 'hex')),
  }
  // The known answer: whatever the labels say, does this private key belong to that public key?
  sign(token, key, createHash('sha256').update(`attestry/known-answer/1/${label}`).digest())
  return key
}

/**
 * Finds a data key by its label and reads its attributes back.
 *
 * @throws Pkcs11Error KEY_NOT_FOUND, KEY_AMBIGUOUS, KEY_ATTRIBUTES
 */
export function findDataKey(token: Token, label: string): Handle {
  parseLabel(label, 'data')
  return findOne(token, DATA_KEY, label)
}

/** All keys with a label of Attestry's, by label. One that cannot be used says why, and does not hide the others. */
export function listKeys(token: Token): readonly HsmKey[] {
  const found = new Map<string, { label: KeyLabel; handle: Handle }>()
  for (const template of [LEDGER_PRIVATE_KEY, DATA_KEY]) {
    for (const handle of findAll(token, template)) {
      const text = readAttribute(token, handle, pkcs11js.CKA_LABEL).toString('utf8')
      const label = readLabel(text)
      const fits = label !== undefined && (label.kind === 'ledger') === (template === LEDGER_PRIVATE_KEY)
      if (fits) found.set(text, { label, handle })
    }
  }
  const entries = [...found].sort(([a], [b]) => (a < b ? -1 : 1))
  return entries.map(([, { label, handle }]) => describe(token, label, handle))
}

/**
 * Makes a key that never leaves the token. What came of it `describeNewKey` says.
 *
 * Not atomic: where the process dies in the middle, an incomplete key may stay, and its label is refused from then on.
 *
 * @throws Pkcs11Error KEY_LABEL_INVALID, KEY_EXISTS
 */
export function generateKey(token: Token, text: string): void {
  const label = parseLabel(text)
  const kinds = [LEDGER_PRIVATE_KEY, LEDGER_PUBLIC_KEY, DATA_KEY]
  if (kinds.some((template) => findAll(token, template, text).length > 0)) {
    throw new Pkcs11Error('KEY_EXISTS', `a key is labelled ${text} already`)
  }
  if (label.kind === 'ledger') generateLedgerKey(token, text)
  else generateDataKey(token, text)
}

/** Reads a key that was just made back, and tests it. @throws Pkcs11Error KEY_NOT_FOUND, KEY_ATTRIBUTES */
export function describeNewKey(token: Token, text: string): HsmKey {
  const label = parseLabel(text)
  const [handle] = findAll(token, label.kind === 'ledger' ? LEDGER_PRIVATE_KEY : DATA_KEY, text)
  if (handle === undefined) throw new Pkcs11Error('KEY_NOT_FOUND', `${text} was made, but is not there`)
  const key = describe(token, label, handle)
  if (key.problem !== undefined)
    throw new Pkcs11Error('KEY_ATTRIBUTES', `${text} was made, but is refused: ${key.problem}`)
  return key
}

function generateLedgerKey(token: Token, label: string): void {
  const publicTemplate = creationTemplate(LEDGER_PUBLIC_KEY, label, [
    { type: pkcs11js.CKA_EC_PARAMS, value: SECP256K1 },
  ])
  const privateTemplate = creationTemplate(LEDGER_PRIVATE_KEY, label, [])
  const mechanism = { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN }
  token.withWritableSession('C_GenerateKeyPair', (pkcs11, session) =>
    pkcs11.C_GenerateKeyPair(session, mechanism, publicTemplate, privateTemplate),
  )
}

function generateDataKey(token: Token, label: string): void {
  const template = creationTemplate(DATA_KEY, label, [{ type: pkcs11js.CKA_VALUE_LEN, value: AES_256_BYTES }])
  token.withWritableSession('C_GenerateKey', (pkcs11, session) =>
    pkcs11.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, template),
  )
}

function describe(token: Token, label: KeyLabel, handle: Handle): HsmKey {
  const flag = (type: number) => readFlag(token, handle, type) === true
  const claimed = {
    sensitive: flag(pkcs11js.CKA_SENSITIVE),
    extractable: flag(pkcs11js.CKA_EXTRACTABLE),
    neverExtractable: flag(pkcs11js.CKA_NEVER_EXTRACTABLE),
    local: flag(pkcs11js.CKA_LOCAL),
    modifiable: flag(pkcs11js.CKA_MODIFIABLE),
  }
  const text = formatLabel(label)
  const key = { label: text, kind: label.kind, version: label.version, claimed }
  try {
    if (label.kind === 'data') {
      findDataKey(token, text)
      return key
    }
    const { address, publicKey } = findLedgerKey(token, text)
    return { ...key, address, publicKey: toHex(publicKey) }
  } catch (error) {
    if (error instanceof Pkcs11Error && UNUSABLE.includes(error.code)) return { ...key, problem: error.code }
    throw error
  }
}

const UNUSABLE = ['KEY_NOT_FOUND', 'KEY_AMBIGUOUS', 'KEY_ATTRIBUTES', 'SIGNATURE_WRONG']

function findOne(token: Token, template: ObjectTemplate, label: string): Handle {
  const [handle, ...others] = findAll(token, template, label)
  if (handle === undefined) throw new Pkcs11Error('KEY_NOT_FOUND', `no key is labelled ${label}`)
  if (others.length > 0) {
    throw new Pkcs11Error('KEY_AMBIGUOUS', `${others.length + 1} keys are labelled ${label}, expected one`)
  }
  checkAttributes(token, handle, template, label)
  return handle
}

function findAll(token: Token, { objectClass }: ObjectTemplate, label?: string): readonly Handle[] {
  const wanted = [{ type: pkcs11js.CKA_CLASS, value: objectClass }]
  const template = label === undefined ? wanted : [...wanted, { type: pkcs11js.CKA_LABEL, value: label }]
  token.call('C_FindObjectsInit', (pkcs11, session) => pkcs11.C_FindObjectsInit(session, template))
  const handles: Handle[] = []
  for (;;) {
    const some = token.call('C_FindObjects', (pkcs11, session) => pkcs11.C_FindObjects(session, 64))
    if (some.length === 0) break
    handles.push(...some)
    if (handles.length > MAX_FOUND)
      throw new Pkcs11Error('DEVICE_FAILED', `C_FindObjects gave more than ${MAX_FOUND} objects`)
  }
  token.call('C_FindObjectsFinal', (pkcs11, session) => pkcs11.C_FindObjectsFinal(session))
  token.requireLogin()
  return handles
}

/** CKA_EC_POINT is a DER octet string around the point (PKCS#11 3.0, 2.3.3). */
function readPoint(token: Token, handle: Handle, label: string): Uint8Array {
  const params = readAttribute(token, handle, pkcs11js.CKA_EC_PARAMS)
  const der = new Reader(readAttribute(token, handle, pkcs11js.CKA_EC_POINT))
  const isPoint = der.remaining === 67 && der.u16() === 0x0441 && der.bytes(1)[0] === 0x04
  if (!params.equals(SECP256K1) || !isPoint) {
    throw new Pkcs11Error('KEY_ATTRIBUTES', `${label} is not an uncompressed secp256k1 key`)
  }
  return Uint8Array.of(0x04, ...der.bytes(64))
}
