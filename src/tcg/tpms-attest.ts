import type { Reader } from '../core/reader.ts'
import type { TpmClock } from './attest.ts'
import { BANKS, bankOf, type BankName } from './bank.ts'
import { decodeWhole } from './decode.ts'
import { TcgError } from './error.ts'
import { PCR_COUNT } from './pcr-selection.ts'

/** Some PCRs of one bank, whichever it is. */
export interface BankSelection {
  readonly bank: BankName
  /** Ascending, distinct, 0 to 23. Possibly none. */
  readonly pcrs: readonly number[]
}

/** A quote as any TPM may make it. Untrusted until its signature is verified. */
export interface TpmsQuote {
  /** The signing key's qualified name: 2 bytes of algorithm and its digest. */
  readonly qualifiedSigner: Uint8Array
  /** The qualifying data, 0 to 64 bytes. */
  readonly extraData: Uint8Array
  readonly clock: TpmClock
  readonly firmwareVersion: bigint
  /** Each of another bank. */
  readonly selections: readonly BankSelection[]
  /** Over the selected PCRs' values, by the hash of the signing scheme. */
  readonly pcrDigest: Uint8Array
  /** The TPMS_QUOTE_INFO, byte for byte as it stands. */
  readonly quoteInfo: Uint8Array
}

const TPM_GENERATED_VALUE = 0xff544347
const TPM_ST_ATTEST_QUOTE = 0x8018
const SELECT_BYTES = PCR_COUNT / 8
const MAX_DIGEST = 64

/**
 * Decodes the TPMS_ATTEST of a quote (TPM 2.0 Part 2, 10.12.12), in all the forms that the specification allows of a TPM with 24 PCRs.
 * What the ledger takes is less: `decodeQuoteAttest`.
 *
 * @param bytes untrusted
 * @throws TcgError `MAGIC`, `TYPE`, `MALFORMED`, `NAME_ALGORITHM`, `SELECTION_INVALID`, `SELECTION_BANK`, `SELECTION_REPEATED`,
 *   `DIGEST_LENGTH`
 */
export function decodeTpmsQuote(bytes: Uint8Array): TpmsQuote {
  return decodeWhole('TPMS_ATTEST', bytes, (reader) => {
    const [magic, type] = [reader.u32(), reader.u16()]
    if (magic !== TPM_GENERATED_VALUE) {
      throw new TcgError('MAGIC', `expected the magic 0xff544347 of a TPM, found 0x${magic.toString(16)}`)
    }
    if (type !== TPM_ST_ATTEST_QUOTE) {
      throw new TcgError('TYPE', `expected a quote (0x8018), found 0x${type.toString(16)}`)
    }
    const qualifiedSigner = readName(reader)
    const extraData = reader.sized16(MAX_DIGEST)
    const clock = readClock(reader)
    const firmwareVersion = reader.u64()
    const quoteInfo = bytes.subarray(reader.offset)
    const selections = readSelections(reader)
    const pcrDigest = reader.sized16(MAX_DIGEST)
    if (!Object.values(BANKS).some(({ length }) => length === pcrDigest.length)) {
      throw new TcgError('DIGEST_LENGTH', `expected a PCR digest of some hash, found ${pcrDigest.length} bytes`)
    }
    return { qualifiedSigner, extraData, clock, firmwareVersion, selections, pcrDigest, quoteInfo }
  })
}

function readName(reader: Reader): Uint8Array {
  const name = reader.sized16(2 + MAX_DIGEST)
  const algorithm = ((name[0] ?? 0) << 8) | (name[1] ?? 0)
  const bank = bankOf(algorithm)
  if (bank === undefined || name.length !== 2 + BANKS[bank].length) {
    throw new TcgError('NAME_ALGORITHM', `expected a name, found ${name.length} bytes by 0x${algorithm.toString(16)}`)
  }
  return name
}

function readClock(reader: Reader): TpmClock {
  const clock = reader.u64()
  const [resetCount, restartCount, safe] = [reader.u32(), reader.u32(), reader.u8()]
  if (safe > 1) throw new TcgError('MALFORMED', `expected YES (1) or NO (0) for a safe clock, found ${safe}`)
  return { clock, resetCount, restartCount, safe: safe === 1 }
}

function readSelections(reader: Reader): readonly BankSelection[] {
  const count = reader.u32()
  const most = Object.keys(BANKS).length
  if (count > most) throw new TcgError('SELECTION_INVALID', `expected at most ${most} PCR selections, found ${count}`)
  const selections: BankSelection[] = []
  for (let i = 0; i < count; i++) {
    const algorithm = reader.u16()
    const bank = bankOf(algorithm)
    if (bank === undefined)
      throw new TcgError('SELECTION_BANK', `expected a known bank, found 0x${algorithm.toString(16)}`)
    if (selections.some((before) => before.bank === bank)) {
      throw new TcgError('SELECTION_REPEATED', `the bank ${bank} is selected twice`)
    }
    const size = reader.u8()
    if (size !== SELECT_BYTES) {
      throw new TcgError('SELECTION_INVALID', `expected ${SELECT_BYTES} select bytes, found ${size}`)
    }
    const select = reader.bytes(size)
    const pcrs = Array.from({ length: PCR_COUNT }, (_, pcr) => pcr)
    selections.push({ bank, pcrs: pcrs.filter((pcr) => (((select[pcr >> 3] ?? 0) >> (pcr & 7)) & 1) === 1) })
  }
  return selections
}
