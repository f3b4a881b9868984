import type { Reader } from '../core/reader.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'
import { readPcrSelections, requirePcrSelection, type PcrSelection } from './pcr-selection.ts'

/** A TPMS_CLOCK_INFO (TPM 2.0 Part 2, 10.11.1). */
export interface TpmClock {
  /** Milliseconds that the TPM was powered, over its whole life. */
  readonly clock: bigint
  /** TPM resets: reboots of the host. */
  readonly resetCount: number
  /** Resumes since the last reset. */
  readonly restartCount: number
  /** False where a power loss may have turned the clock back. */
  readonly safe: boolean
}

/** What a TPM says in a quote: a decoded TPMS_ATTEST. Untrusted until its signature is verified. */
export interface QuoteAttest {
  /** The signing key's qualified name. */
  readonly qualifiedSigner: Uint8Array
  /** The caller's qualifying data. */
  readonly extraData: Uint8Array
  readonly clock: TpmClock
  readonly firmwareVersion: bigint
  /** At least one, each of at least one PCR and each of another bank. */
  readonly selections: readonly PcrSelection[]
  /** SHA-256 over the selected PCRs' values, 32 bytes. */
  readonly pcrDigest: Uint8Array
  /** The TPMS_QUOTE_INFO, byte for byte as it stands. */
  readonly quoteInfo: Uint8Array
}

const TPM_GENERATED_VALUE = 0xff544347
const TPM_ST_ATTEST_QUOTE = 0x8018
/** Bytes of the largest TPM2B_NAME and TPM2B_DATA: an algorithm and a SHA-512 digest, a SHA-512 digest. */
const MAX_NAME = 66
const MAX_DATA = 64
/** Attestry's AKs sign with SHA-256, and a TPM hashes the PCRs' values with the signing scheme's hash. */
const PCR_DIGEST = 32

/**
 * Decodes the TPMS_ATTEST of a quote, strictly (TPM 2.0 Part 2, 10.12.12).
 *
 * @param bytes untrusted
 * @throws TcgError `MAGIC`, `TYPE`, `MALFORMED`, `SELECTION_…`, `DIGEST_LENGTH`
 */
export function decodeQuoteAttest(bytes: Uint8Array): QuoteAttest {
  return decodeWhole('TPMS_ATTEST', bytes, (reader) => {
    const magic = reader.u32()
    if (magic !== TPM_GENERATED_VALUE) {
      throw new TcgError('MAGIC', `expected the magic 0xff544347 of a TPM, found 0x${magic.toString(16)}`)
    }
    const type = reader.u16()
    if (type !== TPM_ST_ATTEST_QUOTE) {
      throw new TcgError('TYPE', `expected a quote (0x8018), found 0x${type.toString(16)}`)
    }
    const qualifiedSigner = reader.sized16(MAX_NAME)
    const extraData = reader.sized16(MAX_DATA)
    const clock = readClock(reader)
    const firmwareVersion = reader.u64()
    const start = reader.offset
    const { selections, pcrDigest } = readQuoteInfo(reader)
    const quoteInfo = bytes.subarray(start, reader.offset)
    return { qualifiedSigner, extraData, clock, firmwareVersion, selections, pcrDigest, quoteInfo }
  })
}

function readClock(reader: Reader): TpmClock {
  const clock = reader.u64()
  const resetCount = reader.u32()
  const restartCount = reader.u32()
  const safe = reader.u8()
  if (safe > 1) throw new TcgError('MALFORMED', `expected YES (1) or NO (0) for a safe clock, found ${safe}`)
  return { clock, resetCount, restartCount, safe: safe === 1 }
}

function readQuoteInfo(reader: Reader): Pick<QuoteAttest, 'selections' | 'pcrDigest'> {
  const selections = readPcrSelections(reader)
  if (selections.length === 0) throw new TcgError('SELECTION_EMPTY', 'expected a quote of at least one PCR')
  selections.forEach(requirePcrSelection)
  const length = reader.u16()
  if (length !== PCR_DIGEST) {
    throw new TcgError('DIGEST_LENGTH', `expected a PCR digest of ${PCR_DIGEST} bytes, found ${length}`)
  }
  return { selections, pcrDigest: reader.bytes(length) }
}
