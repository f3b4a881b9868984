import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { OBJECT_ATTRIBUTES } from '../tcg/public.ts'
import { withAk } from './attestation-key.ts'
import { ENDORSEMENT, NO_HANDLE, PASSWORD } from './commands.ts'
import type { Handle, TpmCommands, TpmConnection } from './commands.ts'
import type { EkPlaceName } from './ek-place.ts'
import { withEk, type Ek } from './endorsement-key.ts'
import { TpmError } from './error.ts'
import { unwrap, withTransient } from './objects.ts'
import { hasRc, isParameterRefused, RC, rcOf } from './rc.ts'

/** What a registrar sends to a TPM of which it knows the EK and an AK's name; see `makeCredential`. */
export interface CredentialChallenge {
  /** TPM2B_ID_OBJECT without its length. */
  readonly credentialBlob: Uint8Array
  /** TPM2B_ENCRYPTED_SECRET without its length. */
  readonly encryptedSecret: Uint8Array
}

const TPM_SE_POLICY = 1
const MAX_SECRET = 64

/**
 * Decrypts the challenge's secret, which proves that the EK and the AK are in one TPM (TPM 2.0 Part 1, "Credential
 * Protection").
 *
 * @throws TpmError `CREDENTIAL_REFUSED` when it was made for another EK or another AK
 */
export function activateCredential(
  connection: TpmConnection,
  { akHandle, ek: order }: { readonly akHandle: number; readonly ek: readonly EkPlaceName[] },
  challenge: CredentialChallenge,
): Uint8Array {
  const blob = new Writer().sized16(challenge.credentialBlob).finish()
  const secret = new Writer().sized16(challenge.encryptedSecret).finish()
  return withAk(connection, akHandle, (ak) =>
    withEk(connection, order, (ek) =>
      withEkAuthorised(connection.commands, ek, (session) => {
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
    ),
  )
}

/**
 * Works with what authorises the EK's use: its empty authorisation value where the template allows it (userWithAuth, the
 * high range), else a session that satisfies its policy: PolicySecret of the endorsement hierarchy (EK Credential
 * Profile, B.3.2).
 */
function withEkAuthorised<T>(commands: TpmCommands, { place }: Ek, work: (session: Handle) => T): T {
  if ((place.template.attributes & OBJECT_ATTRIBUTES.userWithAuth) !== 0) return work(PASSWORD)
  const noSymmetric = new Writer().u16(TPM_ALG.NULL).finish()
  const [session] = commands.StartAuthSession(
    NO_HANDLE,
    NO_HANDLE,
    [],
    null,
    TPM_SE_POLICY,
    noSymmetric,
    TPM_ALG.SHA256,
  )
  return withTransient(commands, session, () => {
    commands.PolicySecret(ENDORSEMENT, session, [PASSWORD], null, null, null, 0)
    return work(session)
  })
}
