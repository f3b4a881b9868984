import { concat } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import type { TpmConnection } from './commands.ts'
import { EK_CHAIN_INDICES, EK_PLACES, type EkPlace, type EkPlaceName } from './ek-place.ts'
import { TpmError } from './error.ts'
import { readNvIndex } from './nv-read.ts'

const MAX_CERTIFICATE = 8192
const MAX_CHAIN = 32_768
const MAX_CERTIFICATES = 16
const TPM_CAP_HANDLES = 1

/** An EK's place, and the certificate that the manufacturer wrote there: DER, untrusted. */
export interface CertifiedPlace {
  readonly name: EkPlaceName
  readonly place: EkPlace
  readonly certificate: Uint8Array
}

/**
 * The first place of an order that holds a certificate.
 *
 * @returns undefined where none does
 * @throws TpmError `EK_CERTIFICATE_MALFORMED`: whose certificate is damaged is told so, and not called by another name
 */
export function findCertificate(connection: TpmConnection, order: readonly EkPlaceName[]): CertifiedPlace | undefined {
  for (const name of order) {
    const place = EK_PLACES[name]
    const certificate = readCertificate(connection, place.certificate)
    if (certificate !== undefined) return { name, place, certificate }
  }
  return undefined
}

/**
 * The certificates between the EK's and its root, as far as the manufacturer wrote them into the TPM (TCG EK Credential Profile
 * 2.6, 2.2.1.5.2): DER, untrusted. What is no certificate ends them: they help, and nothing rests on them.
 */
export function readCertificateChain(connection: TpmConnection): readonly Uint8Array[] {
  const parts: Uint8Array[] = []
  for (const index of chainIndices(connection)) {
    const left = MAX_CHAIN - parts.reduce((sum, { length }) => sum + length, 0)
    const part = attempt(() => readNvIndex(connection, index, left))
    if (part === undefined) break
    parts.push(part)
  }
  const chain = concat(...parts)
  const certificates: Uint8Array[] = []
  for (let rest: Uint8Array = chain; certificates.length < MAX_CERTIFICATES;) {
    const length = derLength(rest)
    if (length === undefined || length > rest.length) break
    certificates.push(rest.slice(0, length))
    rest = rest.subarray(length)
  }
  return certificates
}

function chainIndices({ commands }: TpmConnection): readonly number[] {
  const { first, last } = EK_CHAIN_INDICES
  const [, data] = commands.GetCapability([], TPM_CAP_HANDLES, first, last - first + 1)
  const reader = new Reader(data)
  reader.u32()
  return Array.from({ length: Math.min(reader.u32(), last - first + 1) }, () => reader.u32()).filter(
    (index) => index >= first && index <= last,
  )
}

function readCertificate(connection: TpmConnection, index: number): Uint8Array | undefined {
  try {
    const bytes = readNvIndex(connection, index, MAX_CERTIFICATE)
    return bytes && trimDer(bytes, index)
  } catch (error) {
    if (error instanceof RangeError) throw malformed(index, error.message)
    throw error
  }
}

/** The index may be larger than the certificate; what is behind it is filling. */
function trimDer(bytes: Uint8Array, index: number): Uint8Array {
  const length = derLength(bytes)
  if (length === undefined) throw malformed(index, 'it is not an X.509 certificate in DER')
  if (length > bytes.length)
    throw malformed(index, `it says that it has ${length} bytes, the index has ${bytes.length}`)
  return bytes.subarray(0, length)
}

/** SEQUENCE with a length of two bytes (ITU-T X.690, 8.1.3.5): each certificate has between 256 and 65535 bytes. */
function derLength(bytes: Uint8Array): number | undefined {
  return bytes[0] === 0x30 && bytes[1] === 0x82 ? 4 + (bytes[2] ?? 0) * 256 + (bytes[3] ?? 0) : undefined
}

function attempt<T>(work: () => T | undefined): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function malformed(index: number, why: string): TpmError {
  return new TpmError(
    'EK_CERTIFICATE_MALFORMED',
    `the EK certificate in the TPM (NV index 0x${index.toString(16)}): ${why}`,
  )
}
