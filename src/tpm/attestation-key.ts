import { equal } from '../core/bytes.ts'
import { AK_PREFIX, AK_TEMPLATE } from './ak-template.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { TpmError } from './error.ts'
import { endorsementQualifiedName, sha256Name } from './name.ts'
import { unwrap, unwrapPublic, withPersistent, withPrimary, type TpmObject } from './objects.ts'

const MAX_NAME = 66
/** Behind the prefix: two coordinates of 32 bytes, each with its length in front. */
const POINT_BYTES = 2 * (2 + 32)

/**
 * Works with the AK: found at its persistent handle, or made there. It is a primary key, so where it was removed the
 * same key comes back, unless the endorsement seed has changed.
 *
 * @param akHandle persistent handle, 0x81……
 * @throws TpmError `AK_UNSUITABLE` when at the handle lies another kind of key, or one of another hierarchy
 */
export function withAk<T>(connection: TpmConnection, akHandle: number, work: (ak: TpmObject) => T): T {
  const use = (handle: Handle) => ({ of: work(requireAk(connection, akHandle, handle)) })
  const found = withPersistent(connection, akHandle, use)
  if (found !== undefined) return found.of
  makePersistent(connection, akHandle)
  const made = withPersistent(connection, akHandle, use)
  if (made === undefined) throw new TpmError('RESPONSE_UNEXPECTED', 'the AK is gone as soon as it was made')
  return made.of
}

function makePersistent(connection: TpmConnection, akHandle: number): void {
  withPrimary(connection, AK_TEMPLATE, (ak) => {
    const [persistent] = connection.commands.EvictControl(OWNER, ak.handle, [PASSWORD], akHandle)
    connection.forget(persistent)
  })
}

/** What somebody else has put at the handle is not used: a key that is not restricted would sign forged quotes. */
function requireAk({ commands }: TpmConnection, akHandle: number, handle: Handle): TpmObject {
  const [tpm2bPublic, , tpm2bQualifiedName] = commands.ReadPublic(handle, [])
  const area = unwrapPublic(tpm2bPublic)
  const where = `at the persistent handle 0x${akHandle.toString(16)}`
  const isAk = area.length === AK_PREFIX.length + POINT_BYTES && equal(area.subarray(0, AK_PREFIX.length), AK_PREFIX)
  if (!isAk) {
    throw new TpmError('AK_UNSUITABLE', `${where}: expected a restricted ECDSA P-256 signing key, found another key`)
  }
  if (!equal(unwrap('TPM2B_NAME', tpm2bQualifiedName, MAX_NAME), endorsementQualifiedName(sha256Name(area)))) {
    throw new TpmError('AK_UNSUITABLE', `${where}: expected a primary key of the endorsement hierarchy`)
  }
  return { handle, public: area }
}
