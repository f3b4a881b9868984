import pkcs11js, { type PKCS11 } from 'pkcs11js'
import { serveDevice } from '../../src/device/serve.ts'
import type { InitTokenCalls, InitTokenConfig } from './softhsm-init.ts'

const LABEL_BYTES = 32

serveDevice<InitTokenCalls>((config, secret) => {
  const { module, label } = config as InitTokenConfig
  const [soPin = '', pin = ''] = JSON.parse(Buffer.from(secret).toString()) as string[]
  if (Buffer.byteLength(label) > LABEL_BYTES) throw new Error(`the label ${label} is longer than ${LABEL_BYTES} bytes`)
  const pkcs11 = new pkcs11js.PKCS11()
  pkcs11.load(module)
  initToken(pkcs11, label, soPin)
  initPin(pkcs11, label, soPin, pin)
  return { made: () => undefined }
})

function initToken(pkcs11: PKCS11, label: string, soPin: string): void {
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  const slots = pkcs11.C_GetSlotList(true)
  if (slots.some((slot) => labelOf(pkcs11, slot) === label)) throw new Error(`a token is labelled ${label} already`)
  const free = slots.find((slot) => (pkcs11.C_GetTokenInfo(slot).flags & pkcs11js.CKF_TOKEN_INITIALIZED) === 0)
  if (free === undefined) throw new Error('no slot has an empty token')
  // The module reads 32 bytes whatever the length of the string is.
  pkcs11.C_InitToken(free, soPin, label + ' '.repeat(LABEL_BYTES - Buffer.byteLength(label)))
  // The token moves to another slot, which only shows after this.
  pkcs11.C_Finalize()
}

function initPin(pkcs11: PKCS11, label: string, soPin: string, pin: string): void {
  pkcs11.C_Initialize({ flags: pkcs11js.CKF_OS_LOCKING_OK })
  const slot = pkcs11.C_GetSlotList(true).find((candidate) => labelOf(pkcs11, candidate) === label)
  if (slot === undefined) throw new Error('the token that was made is not there')
  const session = pkcs11.C_OpenSession(slot, pkcs11js.CKF_SERIAL_SESSION | pkcs11js.CKF_RW_SESSION)
  pkcs11.C_Login(session, pkcs11js.CKU_SO, soPin)
  pkcs11.C_InitPIN(session, pin)
  pkcs11.C_Finalize()
}

function labelOf(pkcs11: PKCS11, slot: Buffer): string {
  return pkcs11.C_GetTokenInfo(slot).label.trimEnd()
}
