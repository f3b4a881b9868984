import { Writer } from '../core/writer.ts'
import { PASSWORD } from './commands.ts'
import type { TpmConnection } from './commands.ts'
import { DEFAULT_EK_ORDER } from './ek-place.ts'
import { withEk, type Ek } from './endorsement-key.ts'
import { TpmError } from './error.ts'
import { keyName } from './name.ts'
import { unwrap, unwrapPublic } from './objects.ts'
import { PinError } from './pin-error.ts'
import { isSealedPinPublic, MAX_PIN_BYTES, sealedPinPublic, type SealedPin } from './sealed-pin.ts'
import { requireEk, withSecureSession } from './secure-session.ts'
import { withStorageParent } from './storage-parent.ts'

const MAX_PRIVATE = 1024
const NO_PCRS = new Uint8Array(4)
const EMPTY_TPM2B = Uint8Array.of(0, 0)

/**
 * Seals a PIN so that this TPM opens it for whom an approver's word lets (TPM 2.0 Part 3, "TPM2_Create"). The PIN goes to
 * the TPM encrypted, in a session that is salted to the EK that somebody has verified.
 *
 * @param pin 1 to 128 bytes, the caller's to wipe
 * @param approver TPMT_PUBLIC as `approverPublic` gives it
 * @param ekName the name of the EK whose certificate the caller has verified
 * @throws PinError `PIN_UNSUITABLE`; TpmError `EK_CERTIFICATE_MISSING`, `EK_MISMATCH`, `RESPONSE_UNEXPECTED` and others
 */
export function sealPin(
  connection: TpmConnection,
  pin: Uint8Array,
  approver: Uint8Array,
  ekName: Uint8Array,
): SealedPin {
  if (pin.length === 0 || pin.length > MAX_PIN_BYTES) {
    throw new PinError('PIN_UNSUITABLE', `expected a PIN of 1 to ${MAX_PIN_BYTES} bytes, found ${pin.length}`)
  }
  const sensitive = new Writer().sized16(new Writer().u16(0).sized16(pin).finish()).finish()
  const template = new Writer().sized16(sealedPinPublic(approver)).finish()
  try {
    return withStorageParent(connection, (parent) =>
      withEk(connection, DEFAULT_EK_ORDER, (ek) => {
        requireCertifiedEk(ek, ekName)
        return withSecureSession(connection, ek, 'hmac', 'command', (session) => {
          const sessions = [PASSWORD, session]
          const { commands } = connection
          const [blob, area] = commands.Create(parent, sessions, sensitive, template, EMPTY_TPM2B, NO_PCRS)
          const sealed = {
            ...{ approver, ek: keyName(ek.public), public: unwrapPublic(area) },
            private: unwrap('TPM2B_PRIVATE', blob, MAX_PRIVATE),
          }
          if (!isSealedPinPublic(sealed.public, approver)) {
            throw new TpmError('RESPONSE_UNEXPECTED', 'expected the sealed object that was asked for, found another')
          }
          return sealed
        })
      }),
    )
  } finally {
    sensitive.fill(0)
  }
}

/** A PIN is shown to no key but the certified one that is expected. @throws TpmError */
export function requireCertifiedEk(ek: Ek, expectedName: Uint8Array): void {
  if (ek.certificate === undefined) {
    throw new TpmError(
      'EK_CERTIFICATE_MISSING',
      'the TPM holds no EK certificate that can be read: no PIN is sealed in it',
    )
  }
  requireEk(ek.public, ek.certificate, expectedName)
}
