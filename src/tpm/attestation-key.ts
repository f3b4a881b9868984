import { equal } from '../core/bytes.ts'
import { AK_PREFIX, AK_TEMPLATE } from './ak-template.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { endorsementQualifiedName, sha256Name } from './name.ts'
import { attempt, findPersistent, unwrap, unwrapPublic, withPrimary, type TpmObject } from './objects.ts'
import { isConnectionError } from './rc.ts'

/** The AK in the TPM. */
export interface AkObject extends TpmObject {
  /** The hash of the hierarchy's name and the AK's, 34 bytes: what stands in its quotes. */
  readonly qualifiedName: Uint8Array
}

const MAX_NAME = 66
/** Behind the prefix: two coordinates of 32 bytes, each with its length in front. */
const POINT_BYTES = 2 * (2 + 32)

/**
 * Opens the AK: found at its persistent handle, or made there. It is a primary key, so where it was removed the same key
 * comes back, unless the endorsement seed has changed.
 *
 * The caller may work with it as long as the connection is there, and gives it up with `forget`. tpm2-tss has one handle
 * for it, however often it is opened: who forgets it takes it from all others. What is at the AK's handle may change
 * meanwhile: a signature is the AK's where its qualified signer is.
 *
 * @param akHandle persistent handle, 0x81……
 * @throws TpmError `AK_UNSUITABLE` when at the handle lies another kind of key, or one of another hierarchy
 */
export function openAk(connection: TpmConnection, akHandle: number): AkObject {
  const found = openPersistent(connection, akHandle)
  if (found !== undefined) return found
  makePersistent(connection, akHandle)
  const made = openPersistent(connection, akHandle)
  if (made === undefined) throw new TpmError('RESPONSE_UNEXPECTED', 'the AK is gone as soon as it was made')
  return made
}

function openPersistent(connection: TpmConnection, akHandle: number): AkObject | undefined {
  const handle = findPersistent(connection.commands, akHandle)
  if (handle === undefined) return undefined
  try {
    return requireAk(connection, akHandle, handle)
  } catch (error) {
    if (!isConnectionError(error)) attempt(() => connection.forget(handle))
    throw error
  }
}

function makePersistent(connection: TpmConnection, akHandle: number): void {
  withPrimary(connection, AK_TEMPLATE, (ak) => {
    const [persistent] = connection.commands.EvictControl(OWNER, ak.handle, [PASSWORD], akHandle)
    connection.forget(persistent)
  })
}

/** What somebody else has put at the handle is not used: a key that is not restricted would sign forged quotes. */
function requireAk({ commands }: TpmConnection, akHandle: number, handle: Handle): AkObject {
  const [tpm2bPublic, , tpm2bQualifiedName] = commands.ReadPublic(handle, [])
  const area = unwrapPublic(tpm2bPublic)
  const where = `at the persistent handle 0x${akHandle.toString(16)}`
  const isAk = area.length === AK_PREFIX.length + POINT_BYTES && equal(area.subarray(0, AK_PREFIX.length), AK_PREFIX)
  if (!isAk) {
    throw new TpmError('AK_UNSUITABLE', `${where}: expected a restricted ECDSA P-256 signing key, found another key`)
  }
  const qualifiedName = endorsementQualifiedName(sha256Name(area))
  if (!equal(unwrap('TPM2B_NAME', tpm2bQualifiedName, MAX_NAME), qualifiedName)) {
    throw new TpmError('AK_UNSUITABLE', `${where}: expected a primary key of the endorsement hierarchy`)
  }
  return { handle, public: area, qualifiedName }
}
