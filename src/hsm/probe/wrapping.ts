import { generateKeyPairSync } from 'node:crypto'
import pkcs11js, { type Handle, type PKCS11, type Template } from 'pkcs11js'
import type { Token } from '../token.ts'
import type { Attempts } from './attempt.ts'
import { mechanismName, mechanismsFor, withParameters } from './mechanisms.ts'
import type { ScratchKey } from './scratch-key.ts'

const KWP = 0x210b
const WRAPPING = [
  ...[pkcs11js.CKM_AES_KEY_WRAP, pkcs11js.CKM_AES_KEY_WRAP_PAD, KWP],
  ...[pkcs11js.CKM_AES_ECB, pkcs11js.CKM_AES_CBC, pkcs11js.CKM_AES_CBC_PAD, pkcs11js.CKM_AES_CTR, pkcs11js.CKM_AES_GCM],
  ...[pkcs11js.CKM_DES3_ECB, pkcs11js.CKM_DES3_CBC, pkcs11js.CKM_DES3_CBC_PAD],
  ...[pkcs11js.CKM_RSA_PKCS, pkcs11js.CKM_RSA_PKCS_OAEP, pkcs11js.CKM_RSA_X_509],
]
const WRAPPED_MAX = 4096

/**
 * Tries to wrap the key, by every mechanism of the module and of the standard, under keys that whoever tries it knows: what
 * comes out is then the key itself. Also under a key that may wrap and decrypt, where the module takes none that is known.
 */
export function tryWrapping(attempts: Attempts, token: Token, key: ScratchKey): void {
  for (const mechanism of mechanismsFor(token, pkcs11js.CKF_WRAP, WRAPPING)) {
    const ways = WRAPPERS.flatMap((makeWrapper) =>
      withParameters(mechanism).map((withParameter) => (pkcs11: PKCS11, session: Handle) => {
        const wrapper = makeWrapper(pkcs11, session)
        return pkcs11.C_WrapKey(session, withParameter, wrapper, key.handle, Buffer.alloc(WRAPPED_MAX))
      }),
    )
    attempts.make(`wrap by ${mechanismName(mechanism)}`, key, 'stolen', ...ways)
  }
}

type Wrapper = (pkcs11: PKCS11, session: Handle) => Handle

const USAGE: Template = [
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_WRAP, value: true },
]
const OPENING: Template = [
  { type: pkcs11js.CKA_ENCRYPT, value: true },
  { type: pkcs11js.CKA_DECRYPT, value: true },
]

const secret = (keyType: number, value: Buffer): Wrapper => {
  const template: Template = [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: keyType },
    { type: pkcs11js.CKA_VALUE, value },
    ...USAGE,
    ...OPENING,
  ]
  return (pkcs11, session) => pkcs11.C_CreateObject(session, template)
}

const generated = (mechanism: number, size: Template): Wrapper => {
  return (pkcs11, session) => pkcs11.C_GenerateKey(session, { mechanism }, [...size, ...USAGE, ...OPENING])
}

/** Its private half is here and not in the module. */
const rsa = ((): Wrapper => {
  const { n = '', e = '' } = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const template: Template = [
    { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_PUBLIC_KEY },
    { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_RSA },
    { type: pkcs11js.CKA_MODULUS, value: Buffer.from(n, 'base64url') },
    { type: pkcs11js.CKA_PUBLIC_EXPONENT, value: Buffer.from(e, 'base64url') },
    { type: pkcs11js.CKA_ENCRYPT, value: true },
    ...USAGE,
  ]
  return (pkcs11, session) => pkcs11.C_CreateObject(session, template)
})()

const WRAPPERS: readonly Wrapper[] = [
  secret(pkcs11js.CKK_AES, Buffer.from('0123456789abcdef0123456789abcdef')),
  secret(pkcs11js.CKK_DES3, Buffer.from('0123456789abcdef76543210')),
  generated(pkcs11js.CKM_AES_KEY_GEN, [{ type: pkcs11js.CKA_VALUE_LEN, value: 32 }]),
  generated(pkcs11js.CKM_DES3_KEY_GEN, []),
  rsa,
]
