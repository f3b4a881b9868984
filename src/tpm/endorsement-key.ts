import { concat } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import type { Handle, TpmConnection } from './commands.ts'
import { OWNER, PASSWORD } from './commands.ts'
import { EK_TEMPLATE, ekModulus } from './ek-template.ts'
import { TpmError } from './error.ts'
import { NV, readNvPublic } from './nv-public.ts'
import { unwrap, unwrapPublic, withPersistent, withPrimary, type TpmObject } from './objects.ts'

/**
 * An RSA-2048 EK and its certificate (TCG EK Credential Profile 2.6, 2.2.1.4; TCG TPM v2.0 Provisioning Guidance 1.0,
 * 7.8).
 */
const EK_HANDLE = 0x81010001
const EK_CERTIFICATE_INDEX = 0x01c00002

const TPM_CAP_TPM_PROPERTIES = 6
const TPM_PT_NV_BUFFER_MAX = 0x12c
/** Every TPM reads this many bytes of NV at once. */
const SMALLEST_NV_BUFFER = 64
const MAX_CERTIFICATE = 8192

/** Works with the EK: the persistent one, or else one that is made for the time of the work. */
export function withEk<T>(connection: TpmConnection, work: (ek: TpmObject) => T): T {
  const result = withPersistent(connection, EK_HANDLE, (handle) => {
    const [tpm2bPublic] = connection.commands.ReadPublic(handle, [])
    const ek = { handle, public: unwrapPublic(tpm2bPublic) }
    return ekModulus(ek.public) === undefined ? undefined : { of: work(ek) }
  })
  return result === undefined ? withPrimary(connection, EK_TEMPLATE, work) : result.of
}

/**
 * The certificate that the manufacturer wrote into the TPM: DER, untrusted.
 *
 * @throws TpmError `EK_CERTIFICATE_MISSING`, `EK_CERTIFICATE_MALFORMED`
 */
export function readEkCertificate(connection: TpmConnection): Uint8Array {
  const bytes = withPersistent(connection, EK_CERTIFICATE_INDEX, (index) => readNv(connection, index))
  if (bytes === undefined) {
    const where = `0x${EK_CERTIFICATE_INDEX.toString(16)}`
    throw new TpmError('EK_CERTIFICATE_MISSING', `the TPM holds no RSA-2048 EK certificate (NV index ${where})`)
  }
  return trimDer(bytes)
}

function readNv({ commands }: TpmConnection, index: Handle): Uint8Array {
  const { attributes, size } = readNvPublic(commands, index)
  if (size > MAX_CERTIFICATE) throw malformed(`it has ${size} bytes, at most ${MAX_CERTIFICATE} were expected`)
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

/** The index may be larger than the certificate; what is behind it is filling. */
function trimDer(bytes: Uint8Array): Uint8Array {
  // SEQUENCE with a length of two bytes (ITU-T X.690, 8.1.3.5): each certificate has between 256 and 65535 bytes.
  if (bytes[0] !== 0x30 || bytes[1] !== 0x82) throw malformed('it is not an X.509 certificate in DER')
  const length = 4 + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0)
  if (length > bytes.length) throw malformed(`it says that it has ${length} bytes, the NV index has ${bytes.length}`)
  return bytes.subarray(0, length)
}

function malformed(why: string): TpmError {
  return new TpmError('EK_CERTIFICATE_MALFORMED', `the EK certificate in the TPM: ${why}`)
}
