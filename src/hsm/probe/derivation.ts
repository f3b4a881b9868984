import { createECDH } from 'node:crypto'
import pkcs11js, { type Handle, type Mechanism, type PKCS11, type Template } from 'pkcs11js'
import type { Token } from '../token.ts'
import type { Attempts } from './attempt.ts'
import { mechanismName, mechanismsFor } from './mechanisms.ts'
import type { ScratchKey } from './scratch-key.ts'

const DERIVING = [
  ...[pkcs11js.CKM_ECDH1_DERIVE, pkcs11js.CKM_ECDH1_COFACTOR_DERIVE],
  ...[
    pkcs11js.CKM_CONCATENATE_BASE_AND_KEY,
    pkcs11js.CKM_CONCATENATE_BASE_AND_DATA,
    pkcs11js.CKM_CONCATENATE_DATA_AND_BASE,
  ],
  ...[pkcs11js.CKM_XOR_BASE_AND_DATA, pkcs11js.CKM_EXTRACT_KEY_FROM_KEY],
  ...[pkcs11js.CKM_AES_ECB_ENCRYPT_DATA, pkcs11js.CKM_AES_CBC_ENCRYPT_DATA],
  ...[pkcs11js.CKM_SHA1_KEY_DERIVATION, pkcs11js.CKM_SHA256_KEY_DERIVATION, pkcs11js.CKM_SHA512_KEY_DERIVATION],
]

/** What is derived may be read. */
const DERIVED: Template = [
  { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
  { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_GENERIC_SECRET },
  { type: pkcs11js.CKA_TOKEN, value: false },
  { type: pkcs11js.CKA_SENSITIVE, value: false },
  { type: pkcs11js.CKA_EXTRACTABLE, value: true },
]
const LENGTHS = [16, 32]

/** Tries to derive from the key something that can be read, by every mechanism of the module and of the standard. */
export function tryDerivation(attempts: Attempts, token: Token, key: ScratchKey): void {
  for (const mechanism of mechanismsFor(token, pkcs11js.CKF_DERIVE, DERIVING)) {
    const ways = parametersOf(mechanism, key).flatMap((withParameter) =>
      LENGTHS.map(
        (value) => (pkcs11: PKCS11, session: Handle) =>
          pkcs11.C_DeriveKey(session, withParameter, key.handle, [...DERIVED, { type: pkcs11js.CKA_VALUE_LEN, value }]),
      ),
    )
    attempts.make(`derive by ${mechanismName(mechanism)}`, key, 'stolen', ...ways)
  }
}

/** A point on each curve that a scratch key may be on; whoever tries it knows its discrete logarithm. */
const POINTS = ['secp256k1', 'prime256v1'].map((curve) => createECDH(curve).generateKeys())

function parametersOf(mechanism: number, { handle }: ScratchKey): readonly Mechanism[] {
  const agreed = POINTS.map((publicData) => ({
    mechanism,
    parameter: { type: pkcs11js.CK_PARAMS_EC_DH, kdf: pkcs11js.CKD_NULL, publicData },
  }))
  const encrypted = {
    mechanism,
    parameter: { type: pkcs11js.CK_PARAMS_AES_CBC, iv: Buffer.alloc(16, 1), data: Buffer.alloc(32, 2) },
  }
  const byHandle = { mechanism, parameter: handle }
  const bit = { mechanism, parameter: Buffer.alloc(8) }
  return [{ mechanism }, ...agreed, encrypted, byHandle, bit]
}
