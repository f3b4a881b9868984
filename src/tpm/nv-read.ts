import { concat } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { OWNER, PASSWORD, type Handle, type TpmConnection } from './commands.ts'
import { NV, readNvPublic } from './nv-public.ts'
import { unwrap, withPersistent } from './objects.ts'

const TPM_CAP_TPM_PROPERTIES = 6
const TPM_PT_NV_BUFFER_MAX = 0x12c
/** Every TPM reads this many bytes of NV at once. */
const SMALLEST_NV_BUFFER = 64

/**
 * Reads an NV index, whole.
 *
 * @param max bytes
 * @returns untrusted; undefined where there is no such index, or nothing was ever written there
 * @throws RangeError where it is larger
 */
export function readNvIndex(connection: TpmConnection, index: number, max: number): Uint8Array | undefined {
  return withPersistent(connection, index, (handle) => {
    const { attributes, size } = readNvPublic(connection.commands, handle)
    if (size > max) throw new RangeError(`it has ${size} bytes, at most ${max} were expected`)
    return (attributes & NV.WRITTEN) === 0 ? undefined : readNv(connection, handle, attributes, size)
  })
}

function readNv({ commands }: TpmConnection, index: Handle, attributes: number, size: number): Uint8Array {
  const authorising = attributes & NV.AUTHREAD ? index : OWNER
  const chunk = nvBufferBytes(commands)
  const parts: Uint8Array[] = []
  for (let offset = 0; offset < size; offset += chunk) {
    const length = Math.min(chunk, size - offset)
    const [tpm2bData] = commands.NV_Read(authorising, index, [PASSWORD], length, offset)
    parts.push(unwrap('TPM2B_MAX_NV_BUFFER', tpm2bData, length))
  }
  return concat(...parts)
}

function nvBufferBytes(commands: TpmConnection['commands']): number {
  const [, data] = commands.GetCapability([], TPM_CAP_TPM_PROPERTIES, TPM_PT_NV_BUFFER_MAX, 1)
  const reader = new Reader(data)
  reader.u32()
  if (reader.u32() !== 1 || reader.u32() !== TPM_PT_NV_BUFFER_MAX) return SMALLEST_NV_BUFFER
  return Math.max(reader.u32(), SMALLEST_NV_BUFFER)
}
