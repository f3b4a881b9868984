import pkcs11js, { type PKCS11, type Handle, type Template } from 'pkcs11js'
import { Pkcs11Error } from '../error.ts'
import type { Attempts } from './attempt.ts'
import type { ScratchKey } from './scratch-key.ts'

/** Attributes, and the value of each that would let the key out or let it do something else. */
const WEAKER: readonly (readonly [name: string, type: number, value: boolean])[] = [
  ['SENSITIVE', pkcs11js.CKA_SENSITIVE, false],
  ['EXTRACTABLE', pkcs11js.CKA_EXTRACTABLE, true],
  ['PRIVATE', pkcs11js.CKA_PRIVATE, false],
  ['MODIFIABLE', pkcs11js.CKA_MODIFIABLE, true],
  ['COPYABLE', pkcs11js.CKA_COPYABLE, true],
  ['DERIVE', pkcs11js.CKA_DERIVE, true],
  ['UNWRAP', pkcs11js.CKA_UNWRAP, true],
  ['ALWAYS_SENSITIVE', pkcs11js.CKA_ALWAYS_SENSITIVE, false],
  ['NEVER_EXTRACTABLE', pkcs11js.CKA_NEVER_EXTRACTABLE, false],
  ['LOCAL', pkcs11js.CKA_LOCAL, false],
]
const BY_KIND = {
  ledger: [...WEAKER, ['DECRYPT', pkcs11js.CKA_DECRYPT, true]],
  data: [
    ...WEAKER,
    ['WRAP', pkcs11js.CKA_WRAP, true],
    ['SIGN', pkcs11js.CKA_SIGN, true],
    ['VERIFY', pkcs11js.CKA_VERIFY, true],
  ],
} as const

/** Tries to read the secret, to change attributes, and to copy the key with other ones. */
export function tryAttributes(attempts: Attempts, key: ScratchKey): void {
  const { handle, kind } = key
  attempts.make('read VALUE', key, 'stolen', (pkcs11, session) => readSecret(pkcs11, session, handle))
  for (const [name, type, value] of BY_KIND[kind]) {
    attempts.make(`set ${name} to ${value}`, key, 'weakened', (pkcs11, session) => {
      pkcs11.C_SetAttributeValue(session, handle, [{ type, value }])
      demand(pkcs11, session, handle, type, value)
    })
  }
  attempts.make('set VALUE', key, 'weakened', (pkcs11, session) =>
    pkcs11.C_SetAttributeValue(session, handle, [{ type: pkcs11js.CKA_VALUE, value: Buffer.alloc(32, 7) }]),
  )
  attempts.make('copy', key, 'weakened', (pkcs11, session) => copy(pkcs11, session, handle, []))
  for (const [name, type, value] of BY_KIND[kind]) {
    attempts.make(`copy with ${name} ${value}`, key, 'weakened', (pkcs11, session) => {
      demand(pkcs11, session, copy(pkcs11, session, handle, [{ type, value }]), type, value)
    })
  }
}

function copy(pkcs11: PKCS11, session: Handle, handle: Handle, changes: Template): Handle {
  return pkcs11.C_CopyObject(session, handle, [{ type: pkcs11js.CKA_TOKEN, value: false }, ...changes])
}

/** Some modules take a change without a word, and do not make it. */
function demand(pkcs11: PKCS11, session: Handle, handle: Handle, type: number, value: boolean): void {
  const [attribute] = pkcs11.C_GetAttributeValue(session, handle, [{ type }])
  if ((attribute?.value[0] === 1) === value) return
  throw new Pkcs11Error('CALL_REFUSED', 'the change was taken and not made', { rv: pkcs11js.CKR_ATTRIBUTE_READ_ONLY })
}

function readSecret(pkcs11: PKCS11, session: Handle, handle: Handle): void {
  const [attribute] = pkcs11.C_GetAttributeValue(session, handle, [{ type: pkcs11js.CKA_VALUE }])
  if ((attribute?.value.length ?? 0) > 0) return
  throw new Pkcs11Error('CALL_REFUSED', 'the value is empty', { rv: pkcs11js.CKR_ATTRIBUTE_SENSITIVE })
}
