import pkcs11js, { type Handle, type Mechanism, type PKCS11 } from 'pkcs11js'
import type { Attempts } from './attempt.ts'
import { mechanismName } from './mechanisms.ts'
import type { ScratchKey } from './scratch-key.ts'

const BLOCK = Buffer.alloc(16, 3)
const IV = Buffer.alloc(16, 1)

/** Tries to use the key for what its attributes forbid. */
export function tryUsage(attempts: Attempts, key: ScratchKey): void {
  const { handle, kind } = key
  if (kind === 'ledger') {
    attempts.make(
      'decrypt',
      key,
      'misused',
      ...[pkcs11js.CKM_ECDH1_DERIVE, pkcs11js.CKM_RSA_PKCS].map(decrypting(handle)),
    )
    attempts.make('unwrap', key, 'misused', unwrapping({ mechanism: pkcs11js.CKM_AES_KEY_WRAP }, handle))
    return
  }
  attempts.make(
    'sign',
    key,
    'misused',
    ...[pkcs11js.CKM_AES_CMAC, pkcs11js.CKM_AES_MAC, pkcs11js.CKM_SHA256_HMAC].map(signing(handle)),
  )
  for (const mechanism of [
    { mechanism: pkcs11js.CKM_AES_KEY_WRAP },
    { mechanism: pkcs11js.CKM_AES_ECB },
    { mechanism: pkcs11js.CKM_AES_CBC, parameter: IV },
    { mechanism: pkcs11js.CKM_AES_CBC_PAD, parameter: IV },
  ]) {
    const name = mechanismName(mechanism.mechanism)
    attempts.make(`wrap another key with it by ${name}`, key, 'misused', wrapping(mechanism, handle))
    attempts.make(`unwrap with it by ${name}`, key, 'misused', unwrapping(mechanism, handle))
  }
}

type Way = (pkcs11: PKCS11, session: Handle) => unknown

const decrypting =
  (handle: Handle) =>
  (mechanism: number): Way =>
  (pkcs11, session) => {
    pkcs11.C_DecryptInit(session, { mechanism }, handle)
    return pkcs11.C_Decrypt(session, BLOCK, Buffer.alloc(256))
  }

const signing =
  (handle: Handle) =>
  (mechanism: number): Way =>
  (pkcs11, session) => {
    pkcs11.C_SignInit(session, { mechanism }, handle)
    return pkcs11.C_Sign(session, BLOCK, Buffer.alloc(256))
  }

const wrapping =
  (mechanism: Mechanism, handle: Handle): Way =>
  (pkcs11, session) => {
    const other = pkcs11.C_GenerateKey(session, { mechanism: pkcs11js.CKM_AES_KEY_GEN }, [
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_VALUE_LEN, value: 32 },
      { type: pkcs11js.CKA_EXTRACTABLE, value: true },
    ])
    return pkcs11.C_WrapKey(session, mechanism, handle, other, Buffer.alloc(256))
  }

const unwrapping =
  (mechanism: Mechanism, handle: Handle): Way =>
  (pkcs11, session) =>
    pkcs11.C_UnwrapKey(session, mechanism, handle, Buffer.alloc(32, 5), [
      { type: pkcs11js.CKA_CLASS, value: pkcs11js.CKO_SECRET_KEY },
      { type: pkcs11js.CKA_KEY_TYPE, value: pkcs11js.CKK_AES },
      { type: pkcs11js.CKA_TOKEN, value: false },
      { type: pkcs11js.CKA_SENSITIVE, value: false },
      { type: pkcs11js.CKA_EXTRACTABLE, value: true },
    ])
