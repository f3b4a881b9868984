import pkcs11js, { type Mechanism } from 'pkcs11js'
import type { Token } from '../token.ts'

/** Mechanisms by what the module says that they can do, and those of the standard in any case: a list may leave some out. */
export function mechanismsFor(token: Token, flag: number, standard: readonly number[]): readonly number[] {
  const listed = token.mechanisms().filter(({ flags }) => (flags & flag) !== 0)
  return [...new Set([...standard, ...listed.map(({ type }) => type)])]
}

/** The mechanism's name in the standard, or its number. */
export function mechanismName(type: number): string {
  return MECHANISMS.get(type) ?? `mechanism 0x${type.toString(16)}`
}

const MECHANISMS: ReadonlyMap<unknown, string> = new Map(
  Object.entries(pkcs11js)
    .filter(([name]) => name.startsWith('CKM_') && name !== 'CKM_VENDOR_DEFINED')
    .map(([name, value]) => [value, name]),
)

/** CKZ_DATA_SPECIFIED (PKCS#11 3.0, 2.1.7). */
const DATA_SPECIFIED = 1

/** The mechanism with each kind of parameter that one of its kind may want. */
export function withParameters(mechanism: number): readonly Mechanism[] {
  const gcm = { type: pkcs11js.CK_PARAMS_AES_GCM_v240, iv: Buffer.alloc(12, 1), ivBits: 96, tagBits: 128 }
  const [hashAlg, mgf] = [pkcs11js.CKM_SHA_1, pkcs11js.CKG_MGF1_SHA1]
  const oaep = { type: pkcs11js.CK_PARAMS_RSA_OAEP, hashAlg, mgf, source: DATA_SPECIFIED }
  const parameters = [Buffer.alloc(16, 1), Buffer.alloc(8, 0xa6), gcm, oaep]
  return [{ mechanism }, ...parameters.map((parameter) => ({ mechanism, parameter }))]
}
