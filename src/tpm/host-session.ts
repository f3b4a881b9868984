import { equal, toHex } from '../core/bytes.ts'
import type { Handle, TpmConnection } from './commands.ts'
import type { EkPlaceName } from './ek-place.ts'
import { withEk } from './endorsement-key.ts'
import { TpmError } from './error.ts'
import { sha256Name } from './name.ts'
import { withSecureSession } from './secure-session.ts'

const NAME_ID_BYTES = 2

/**
 * Works in an HMAC session with the TPM of one host, whoever else could answer on the way: salted to the EK that the
 * hostId names. With it a command's parameters and its answer cannot be changed, left out or kept for later without
 * an error.
 *
 * @param hostId SHA-256 of the EK's TPMT_PUBLIC, 32 bytes: from the ledger, whose registrar has verified the certificate
 * @throws TpmError `EK_MISMATCH` where the TPM shows another EK
 */
export function withHostSession<T>(
  connection: TpmConnection,
  order: readonly EkPlaceName[],
  hostId: Uint8Array,
  work: (session: Handle) => T,
): T {
  return withEk(connection, order, (ek) => {
    const found = sha256Name(ek.public).subarray(NAME_ID_BYTES)
    if (!equal(found, hostId)) {
      throw new TpmError('EK_MISMATCH', `expected the TPM of the host ${toHex(hostId)}, found that of ${toHex(found)}`)
    }
    return withSecureSession(connection, ek, 'hmac', 'answer', work)
  })
}
