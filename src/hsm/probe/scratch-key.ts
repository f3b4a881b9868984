import pkcs11js, { type Handle, type Template } from 'pkcs11js'
import { Pkcs11Error } from '../error.ts'
import {
  DATA_KEY,
  LEDGER_PRIVATE_KEY,
  LEDGER_PUBLIC_KEY,
  type ObjectTemplate,
  SECP256K1,
  creationTemplate,
} from '../templates.ts'
import type { Token } from '../token.ts'
import type { ProbedKey } from './report.ts'

/** A key like one of Attestry's, but for this session only: nothing of it is left in the token. */
export interface ScratchKey {
  readonly kind: ProbedKey
  readonly handle: Handle
  /** What of it the module would not make as Attestry makes its keys: then it can keep none. */
  readonly shortcomings: readonly string[]
}

const LABEL = 'attestry-probe'
/** A module that has not the curve of ledger keys may still show how it keeps keys. DER of the object identifiers. */
const CURVES = [
  ['secp256k1', SECP256K1],
  ['P-256', Buffer.from('06082a8648ce3d030107', 'hex')],
] as const
/** Attributes that older modules do not know, or want to set by themselves. */
const LESS: readonly (readonly string[])[] = [
  [],
  ['COPYABLE'],
  ['COPYABLE', 'MODIFIABLE'],
  ['COPYABLE', 'MODIFIABLE', 'DERIVE', 'UNWRAP', 'WRAP', 'DECRYPT', 'SIGN', 'VERIFY', 'ENCRYPT'],
]

/** As like a ledger key as the module can make it. */
export function scratchLedgerKey(token: Token): ScratchKey | Refusal {
  return firstOf('ledger', CURVES, (curve, less) => {
    const publicTemplate = scratch(LEDGER_PUBLIC_KEY, less, [{ type: pkcs11js.CKA_EC_PARAMS, value: curve }], [])
    const privateTemplate = scratch(LEDGER_PRIVATE_KEY, less, [], ['SIGN'])
    const mechanism = { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN }
    const { privateKey } = token.call('C_GenerateKeyPair', (pkcs11, session) =>
      pkcs11.C_GenerateKeyPair(session, mechanism, publicTemplate, privateTemplate),
    )
    return privateKey
  })
}

/** As like a data key as the module can make it. */
export function scratchDataKey(token: Token): ScratchKey | Refusal {
  return firstOf('data', [['AES-256', undefined]], (_, less) => {
    const size = [{ type: pkcs11js.CKA_VALUE_LEN, value: 32 }]
    const template = scratch(DATA_KEY, less, size, ['ENCRYPT', 'DECRYPT'])
    const mechanism = { mechanism: pkcs11js.CKM_AES_KEY_GEN }
    return token.call('C_GenerateKey', (pkcs11, session) => pkcs11.C_GenerateKey(session, mechanism, template))
  })
}

/** That no such key can be made. */
export interface Refusal {
  readonly kind: ProbedKey
  readonly shortcomings: readonly string[]
}

function firstOf<Choice>(
  kind: ProbedKey,
  choices: readonly (readonly [name: string, choice: Choice])[],
  make: (choice: Choice, less: readonly string[]) => Handle,
): ScratchKey | Refusal {
  const shortcomings: string[] = []
  for (const [name, choice] of choices) {
    for (const [i, less] of LESS.entries()) {
      try {
        const handle = make(choice, less)
        if (i > 0) shortcomings.push(`it makes keys for ${name} only without setting ${less.join(', ')}`)
        return { kind, handle, shortcomings }
      } catch (error) {
        if (!(error instanceof Pkcs11Error) || error.rv === undefined) throw error
        if (i === 0) shortcomings.push(`it makes no key for ${name} as Attestry needs it: ${error.message}`)
      }
    }
  }
  return { kind, shortcomings }
}

function scratch(template: ObjectTemplate, less: readonly string[], more: Template, kept: readonly string[]): Template {
  const flags = template.flags
    .filter(([name]) => !less.includes(name) || kept.includes(name))
    .map((flag) => (flag[0] === 'TOKEN' ? ([flag[0], flag[1], false] as const) : flag))
  return creationTemplate({ ...template, flags }, LABEL, more)
}
