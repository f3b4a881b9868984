import type { Reader } from '../core/reader.ts'
import { HASHES, TPM_ALG } from './algorithm.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'
import { readPcrSelections, type PcrSelection } from './pcr-selection.ts'

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

/** What a quote says of PCRs: a decoded TPMS_QUOTE_INFO. */
export interface QuoteInfo {
  /** One or two, each of another bank. They may be empty: see `requireMeaningful`. */
  readonly selections: readonly PcrSelection[]
  /** SHA-256 over the selected PCRs' values, 32 bytes. */
  readonly pcrDigest: Uint8Array
}

/** What a TPM says in a quote: a decoded TPMS_ATTEST. Untrusted until its signature is verified. */
export interface QuoteAttest extends QuoteInfo {
  /** The SHA-256 part of the signing key's qualified name, 32 bytes. */
  readonly qualifiedSigner: Uint8Array
  /** The caller's qualifying data, 32 bytes. */
  readonly extraData: Uint8Array
  readonly clock: TpmClock
  readonly firmwareVersion: bigint
  /** The TPMS_QUOTE_INFO, byte for byte as it stands. */
  readonly quoteInfo: Uint8Array
}

const TPM_GENERATED_VALUE = 0xff544347
const TPM_ST_ATTEST_QUOTE = 0x8018
/**
 * Every field has one length: names and PCR digests are SHA-256's, because Attestry's AKs sign with it, qualifying data is one,
 * and a TPM with 24 PCRs gives three select bytes.
 */
const DIGEST = HASHES.sha256.length
const QUOTE_INFO_OFFSET = 101
const SELECTIONS_OF_LENGTH: ReadonlyMap<number, number> = new Map([
  [44, 1],
  [50, 2],
])

/**
 * Decodes the TPMS_ATTEST of a quote, strictly (TPM 2.0 Part 2, 10.12.12). The ledger (contracts/src/TpmQuote.sol) takes the same
 * bytes, and refuses others for the same reason.
 *
 * @param bytes untrusted
 * @throws TcgError `LENGTH`, `MAGIC`, `TYPE`, `MALFORMED`, `SELECTION_…`, `DIGEST_LENGTH`
 */
export function decodeQuoteAttest(bytes: Uint8Array): QuoteAttest {
  if (!SELECTIONS_OF_LENGTH.has(bytes.length - QUOTE_INFO_OFFSET)) {
    throw new TcgError('LENGTH', `expected a quote of one or two selections, found ${bytes.length} bytes`)
  }
  const quoteInfo = bytes.subarray(QUOTE_INFO_OFFSET)
  const head = decodeWhole('TPMS_ATTEST', bytes.subarray(0, QUOTE_INFO_OFFSET), readHead)
  return { ...head, ...decodeQuoteInfo(quoteInfo), quoteInfo }
}

/**
 * Decodes a TPMS_QUOTE_INFO, strictly (TPM 2.0 Part 2, 10.12.1): the part of a quote that makes the vmmHash.
 *
 * @param bytes untrusted
 * @throws TcgError `MALFORMED`, `SELECTION_INVALID`, `SELECTION_BANK`, `SELECTION_REPEATED`, `DIGEST_LENGTH`
 */
export function decodeQuoteInfo(bytes: Uint8Array): QuoteInfo {
  return decodeWhole('TPMS_QUOTE_INFO', bytes, (reader) => {
    const count = SELECTIONS_OF_LENGTH.get(bytes.length)
    if (count === undefined) {
      throw new TcgError(
        'MALFORMED',
        `expected a TPMS_QUOTE_INFO of one or two selections, found ${bytes.length} bytes`,
      )
    }
    const selections = readPcrSelections(reader, count)
    const length = reader.u16()
    if (length !== DIGEST) {
      throw new TcgError('DIGEST_LENGTH', `expected a PCR digest of ${DIGEST} bytes, found ${length}`)
    }
    return { selections, pcrDigest: reader.bytes(length) }
  })
}

function readHead(reader: Reader): Omit<QuoteAttest, keyof QuoteInfo | 'quoteInfo'> {
  const magic = reader.u32()
  if (magic !== TPM_GENERATED_VALUE) {
    throw new TcgError('MAGIC', `expected the magic 0xff544347 of a TPM, found 0x${magic.toString(16)}`)
  }
  const type = reader.u16()
  if (type !== TPM_ST_ATTEST_QUOTE) {
    throw new TcgError('TYPE', `expected a quote (0x8018), found 0x${type.toString(16)}`)
  }
  const qualifiedSigner = readName(reader)
  const extraData = readDigest(reader, 'qualifying data')
  const clock = readClock(reader)
  return { qualifiedSigner, extraData, clock, firmwareVersion: reader.u64() }
}

function readName(reader: Reader): Uint8Array {
  const [length, algorithm] = [reader.u16(), reader.u16()]
  if (length !== 2 + DIGEST || algorithm !== TPM_ALG.SHA256) {
    throw new TcgError(
      'MALFORMED',
      `expected a signer's name by SHA-256, found ${length} bytes by 0x${algorithm.toString(16)}`,
    )
  }
  return reader.bytes(DIGEST)
}

function readDigest(reader: Reader, what: string): Uint8Array {
  const length = reader.u16()
  if (length !== DIGEST) throw new TcgError('MALFORMED', `expected ${what} of ${DIGEST} bytes, found ${length}`)
  return reader.bytes(length)
}

function readClock(reader: Reader): TpmClock {
  const clock = reader.u64()
  const resetCount = reader.u32()
  const restartCount = reader.u32()
  const safe = reader.u8()
  if (safe > 1) throw new TcgError('MALFORMED', `expected YES (1) or NO (0) for a safe clock, found ${safe}`)
  return { clock, resetCount, restartCount, safe: safe === 1 }
}
