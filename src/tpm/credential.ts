import { Writer } from '../core/writer.ts'
import { OBJECT_ATTRIBUTES } from '../tcg/public.ts'
import type { AkKeeper } from './ak-keeper.ts'
import { isCertifiedKey } from './certified-key.ts'
import { ENDORSEMENT, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import type { EkPlaceName } from './ek-place.ts'
import { withEk, type Ek } from './endorsement-key.ts'
import { TpmError } from './error.ts'
import { unwrap } from './objects.ts'
import { hasRc, isParameterRefused, RC, rcOf } from './rc.ts'
import { requireEk, withSecureSession } from './secure-session.ts'

/** What a registrar sends to a TPM of which it knows the EK and an AK's name; see `makeCredential`. */
export interface CredentialChallenge {
  /** TPM2B_ID_OBJECT without its length. */
  readonly credentialBlob: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET without its length. */
  readonly encryptedSecret: Uint8Array
}

const MAX_SECRET = 64

/**
 * Decrypts the challenge's secret, which proves that the EK and the AK are in one TPM (TPM 2.0 Part 1, "Credential
 * Protection").
 *
 * @throws TpmError `CREDENTIAL_REFUSED` when it was made for another EK or another AK, `EK_MISMATCH` where the EK is not the
 * certificate's
 */
export function activateCredential(
  connection: TpmConnection,
  keeper: AkKeeper,
  order: readonly EkPlaceName[],
  challenge: CredentialChallenge,
): Uint8Array {
  const blob = new Writer().sized16(challenge.credentialBlob).finish()
  const secret = new Writer().sized16(challenge.encryptedSecret).finish()
  const ak = keeper.getAnew()
  return withEk(connection, order, (ek) =>
    withEkAuthorised(connection, ek, (session) => {
      try {
        const [info] = connection.commands.ActivateCredential(ak.handle, ek.handle, [PASSWORD, session], blob, secret)
        return unwrap('TPM2B_DIGEST', info, MAX_SECRET)
      } catch (cause) {
        // libtpms before 0.10 answers so to a secret for another EK (libtpms#444). A TPM that has really failed
        // would have refused the session's policy before.
        if (!isParameterRefused(cause) && !hasRc(cause, RC.FAILURE)) throw cause
        const text = 'the credential was not made for the EK and the AK of this TPM'
        throw new TpmError('CREDENTIAL_REFUSED', text, { rc: rcOf(cause), command: 'ActivateCredential' }, { cause })
      }
    }),
  )
}

/**
 * Works in a session that authorises the EK's use, and encrypts what the TPM answers: the secret. Where the template allows it
 * (userWithAuth, the high range) it authorises with the EK's empty authorisation value, else it satisfies the EK's policy:
 * PolicySecret of the endorsement hierarchy (EK Credential Profile, B.3.2).
 *
 * An EK without a certificate that can be read has nothing to be held against, and is protected from listeners only.
 *
 * @throws TpmError `EK_MISMATCH`
 */
function withEkAuthorised<T>(connection: TpmConnection, ek: Ek, work: (session: Handle) => T): T {
  if (ek.certificate !== undefined && isCertifiedKey(ek.public, ek.certificate) !== undefined) {
    requireEk(ek.public, ek.certificate)
  }
  if ((ek.place.template.attributes & OBJECT_ATTRIBUTES.userWithAuth) !== 0) {
    return withSecureSession(connection, ek, 'hmac', 'both', work)
  }
  return withSecureSession(connection, ek, 'policy', 'both', (session) => {
    connection.commands.PolicySecret(ENDORSEMENT, session, [PASSWORD], null, null, null, 0)
    return work(session)
  })
}
