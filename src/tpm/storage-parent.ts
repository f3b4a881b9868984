import { fromHex } from '../core/bytes.ts'
import { Writer } from '../core/writer.ts'
import { OWNER, PASSWORD } from './commands.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { withTransient } from './objects.ts'

/**
 * The ECC P-256 storage root key (TCG TPM v2.0 Provisioning Guidance 1.0, 7.5.1): restricted, decrypt, fixedTPM,
 * fixedParent, sensitiveDataOrigin, userWithAuth, noDA; AES-128-CFB; coordinates of zero.
 */
const SRK_TEMPLATE = new Writer()
  .bytes(
    fromHex(
      '0x0023000b00030472000000060080004300100003001000200000000000000000000000000000000000000000000000000000000000000000',
    ),
  )
  .sized16(new Uint8Array(32))
  .finish()

const EMPTY_SENSITIVE = Uint8Array.of(0, 4, 0, 0, 0, 0)
const EMPTY_TPM2B = Uint8Array.of(0, 0)
const NO_PCRS = new Uint8Array(4)

/**
 * Works with the parent below which sealed data lies: a primary key of the storage hierarchy, which the TPM makes again
 * from its seed, the same one until it is cleared. Nothing persistent is needed, and nothing that another program left
 * at a handle is believed.
 */
export function withStorageParent<T>({ commands }: TpmConnection, work: (parent: Handle) => T): T {
  const template = new Writer().sized16(SRK_TEMPLATE).finish()
  const [parent] = commands.CreatePrimary(OWNER, [PASSWORD], EMPTY_SENSITIVE, template, EMPTY_TPM2B, NO_PCRS)
  return withTransient(commands, parent, () => work(parent))
}
