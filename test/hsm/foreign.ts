import pkcs11js, { type Attribute, type Handle, type PKCS11, type Template } from 'pkcs11js'
import type { SoftHsm } from '../../hil/stack/softhsm.ts'
import { LEDGER_PRIVATE_KEY, LEDGER_PUBLIC_KEY, SECP256K1, creationTemplate } from '../../src/hsm/templates.ts'

/** Does something in a token as another program that knows the PIN would: in this process, beside the HSM's own. */
export function asForeigner(softHsm: SoftHsm, pin: string, work: (pkcs11: PKCS11, session: Handle) => void): void {
  process.env['SOFTHSM2_CONF'] = softHsm.environment.SOFTHSM2_CONF
  const pkcs11 = new pkcs11js.PKCS11()
  pkcs11.load(softHsm.module)
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  try {
    const slots = pkcs11.C_GetSlotList(true)
    const slot = slots.find((candidate) => pkcs11.C_GetTokenInfo(candidate).label.trimEnd() === softHsm.token)
    if (slot === undefined) throw new Error('the token is not there')
    const session = pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
    pkcs11.C_Login(session, pkcs11js.CKU_USER, pin)
    work(pkcs11, session)
  } finally {
    pkcs11.C_Finalize()
    pkcs11.close()
    delete process.env['SOFTHSM2_CONF']
  }
}

/** How a pair of keys differs from what Attestry makes. */
export interface PairOptions {
  readonly privateLabel: string
  readonly publicLabel?: string
  readonly changes?: Template
}

export function makePair(pkcs11: PKCS11, session: Handle, options: PairOptions): void {
  const { privateLabel, publicLabel = privateLabel, changes = [] } = options
  const parameters: Attribute = { type: pkcs11js.CKA_EC_PARAMS, value: SECP256K1 }
  const changed = new Set(changes.map(({ type }) => type))
  const template = creationTemplate(LEDGER_PRIVATE_KEY, privateLabel, []).filter(({ type }) => !changed.has(type))
  pkcs11.C_GenerateKeyPair(
    session,
    { mechanism: pkcs11js.CKM_EC_KEY_PAIR_GEN },
    creationTemplate(LEDGER_PUBLIC_KEY, publicLabel, [parameters]),
    [...template, ...changes],
  )
}

/** Destroys every key with a label. */
export function destroy(pkcs11: PKCS11, session: Handle, label: string): void {
  pkcs11.C_FindObjectsInit(session, [{ type: pkcs11js.CKA_LABEL, value: label }])
  const handles = pkcs11.C_FindObjects(session, 10)
  pkcs11.C_FindObjectsFinal(session)
  for (const handle of handles) pkcs11.C_DestroyObject(session, handle)
}
