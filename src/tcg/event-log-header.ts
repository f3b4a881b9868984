import { LittleEndianReader } from '../core/little-endian-reader.ts'
import { ReadError } from '../core/reader.ts'
import { BANKS, bankOf, type BankName } from './bank.ts'
import { EventLogError } from './event-log-error.ts'
import { textIn } from './event-text.ts'

/** An algorithm of which a log has digests. */
export interface LogAlgorithm {
  /** TPM_ALG_ID. */
  readonly algorithm: number
  /** The digests' length in bytes. */
  readonly length: number
  /** Undefined where only the header knows it. */
  readonly bank: BankName | undefined
  /** The bank's name, or the identifier in hexadecimal. */
  readonly name: string
}

/** What a Spec ID event says (PC Client Platform Firmware Profile 1.06, 10.4.5.1; 1.2 of the conventional BIOS specification, 11.3.4). */
export interface SpecId {
  /** `Spec ID Event03`, `Spec ID Event02`, or `Spec ID Event00`. */
  readonly signature: string
  readonly platformClass: number
  readonly version: string
  readonly errata: number
  /** Bytes of a native number: 1 for four, 2 for eight. Absent where the event has no such field. */
  readonly uintnSize: number | undefined
  /** Empty in the forms before Event03, which have SHA-1 alone. */
  readonly algorithms: readonly LogAlgorithm[]
  readonly vendorInfo: Uint8Array
  /** Whether bytes are missing or too many behind the algorithms: firmware has been seen to get that wrong. */
  readonly regular: boolean
}

/** A header may name so many algorithms; the registry has fewer hashes than that. */
const MAX_ALGORITHMS = 16
const MAX_DIGEST_BYTES = 64
const SIGNATURE_BYTES = 16

/** The signatures of Spec ID events, each with a zero byte behind it. */
const SIGNATURES = ['Spec ID Event03', 'Spec ID Event02', 'Spec ID Event00'] as const

/** SHA-1, which the old form has alone. */
export const SHA1: LogAlgorithm = logAlgorithm(BANKS.sha1.algorithm, BANKS.sha1.length)

/** The signature that a first event's data begin with, undefined where they are no Spec ID event. */
export function specSignature(data: Uint8Array): (typeof SIGNATURES)[number] | undefined {
  const text = data[SIGNATURE_BYTES - 1] === 0 ? textIn(data.subarray(0, SIGNATURE_BYTES)) : undefined
  return SIGNATURES.find((one) => one === text)
}

/**
 * Reads a Spec ID event.
 *
 * @param data untrusted; begins with one of the signatures
 * @throws EventLogError `LOG_HEADER`, `LOG_ALGORITHM`
 */
export function decodeSpecId(signature: string, data: Uint8Array): SpecId {
  const reader = new LittleEndianReader(data)
  try {
    reader.bytes(SIGNATURE_BYTES)
    const platformClass = reader.u32()
    const minor = reader.u8()
    const version = `${reader.u8()}.${minor}`
    const errata = reader.u8()
    const uintnSize = reader.u8()
    const algorithms = signature === 'Spec ID Event03' ? readAlgorithms(reader) : []
    const head = { signature, platformClass, version, errata, uintnSize, algorithms }
    const announced = reader.remaining > 0 ? reader.u8() : -1
    const regular = announced === reader.remaining
    return { ...head, vendorInfo: reader.bytes(regular ? announced : reader.remaining), regular }
  } catch (cause) {
    if (cause instanceof ReadError) throw new EventLogError('LOG_HEADER', `Spec ID event: ${cause.message}`, { cause })
    throw cause
  }
}

function readAlgorithms(reader: LittleEndianReader): readonly LogAlgorithm[] {
  const count = reader.u32()
  if (count < 1 || count > MAX_ALGORITHMS) {
    throw new EventLogError('LOG_HEADER', `expected 1 to ${MAX_ALGORITHMS} algorithms, found ${count}`)
  }
  const algorithms: LogAlgorithm[] = []
  for (let i = 0; i < count; i++) {
    const one = logAlgorithm(reader.u16(), reader.u16())
    const length = one.bank === undefined ? undefined : BANKS[one.bank].length
    if (one.length < 1 || one.length > MAX_DIGEST_BYTES || one.length !== (length ?? one.length)) {
      throw new EventLogError('LOG_ALGORITHM', `${one.name} has no digests of ${one.length} bytes`)
    }
    if (algorithms.some(({ algorithm }) => algorithm === one.algorithm)) {
      throw new EventLogError('LOG_ALGORITHM', `the header has ${one.name} twice`)
    }
    algorithms.push(one)
  }
  return algorithms
}

function logAlgorithm(algorithm: number, length: number): LogAlgorithm {
  const bank = bankOf(algorithm)
  return { algorithm, length, bank, name: bank ?? `0x${algorithm.toString(16).padStart(4, '0')}` }
}
