import { equal } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { TPM_ALG } from '../tcg/algorithm.ts'
import { isCertifiedKey } from './certified-key.ts'
import { NO_HANDLE } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { keyName } from './name.ts'
import { unwrap, withTransient, type TpmObject } from './objects.ts'

/** TPM_SE (TPM 2.0 Part 2, 6.11). */
const SESSION_TYPES = { hmac: 0, policy: 1 } as const
/** TPMA_SESSION: the session stays after the command; its first parameters are encrypted, both ways (Part 2, 8.4). */
const CONTINUE = 0x01
const DECRYPT = 0x20
const ENCRYPT = 0x40
const AES_BITS = 128
const AES_128_CFB = new Writer().u16(TPM_ALG.AES).u16(AES_BITS).u16(TPM_ALG.CFB).finish()
const MAX_NAME = 66

/**
 * Which first parameters a session encrypts: `both`, or only one where the command has no other. tpm2-tss drops the
 * attribute without a word where a command's first parameter is no TPM2B (GetCapability, NV_Increment, NV_Read's
 * command): what must not be seen has to be a TPM2B and the first, TPM2B_SENSITIVE_CREATE, TPM2B_AUTH, Unseal's answer.
 */
export type Encrypted = 'command' | 'answer' | 'both'

/**
 * Works in a session whose key comes from a salt that only the TPM with this EK can decrypt: its HMACs show that the
 * answers are that TPM's, and who listens between sees of an encrypted parameter nothing. Flushed afterwards.
 *
 * As an `hmac` session it authorises with an object's authorisation value, or comes beside one that does; a `policy`
 * session begins with an empty policy, whose commands are the work's to send.
 *
 * @param ek what `withEk` gives, once `requireEk` has looked at it: a salt for somebody else's key protects nothing
 * @throws TpmError `EK_MISMATCH` where the software stack would encrypt the salt to another key than `ek.public`
 */
export function withSecureSession<T>(
  { commands }: TpmConnection,
  ek: TpmObject,
  type: keyof typeof SESSION_TYPES,
  encrypted: Encrypted,
  work: (session: Handle) => T,
): T {
  // Not what the TPM answers now, but what tpm2-tss has kept from when the handle was made, and encrypts to.
  const kept = unwrap('TPM2B_NAME', commands.TR_GetName(ek.handle)[0], MAX_NAME)
  if (!equal(kept, keyName(ek.public))) {
    throw new TpmError('EK_MISMATCH', 'expected to salt the session to the EK, found that the stack has another key')
  }
  const [session] = commands.StartAuthSession(
    ek.handle,
    NO_HANDLE,
    [],
    null,
    SESSION_TYPES[type],
    AES_128_CFB,
    TPM_ALG.SHA256,
  )
  return withTransient(commands, session, () => {
    const flags = CONTINUE | (encrypted === 'answer' ? 0 : DECRYPT) | (encrypted === 'command' ? 0 : ENCRYPT)
    commands.TRSess_SetAttributes(session, flags, 0xff)
    return work(session)
  })
}

/**
 * Holds an EK against its certificate, whose chain is for the registrar to verify, and against the EK that is expected.
 *
 * @param certificate DER, untrusted
 * @param expectedName the EK's name where it is known: its hash is the key's own
 * @throws TpmError `EK_MISMATCH`, `EK_CERTIFICATE_MALFORMED`
 */
export function requireEk(ekPublic: Uint8Array, certificate: Uint8Array, expectedName?: Uint8Array): void {
  const certified = isCertifiedKey(ekPublic, certificate)
  if (certified === undefined) {
    throw new TpmError('EK_CERTIFICATE_MALFORMED', 'the EK certificate in the TPM: its key cannot be read')
  }
  if (!certified) throw new TpmError('EK_MISMATCH', 'expected the EK of the certificate in the TPM, found another key')
  if (expectedName !== undefined && !equal(keyName(ekPublic), expectedName)) {
    throw new TpmError('EK_MISMATCH', 'expected the EK that this host was enrolled with, found another TPM’s')
  }
}
