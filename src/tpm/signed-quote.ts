import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { equal } from '../core/bytes.ts'
import { Reader } from '../core/reader.ts'
import { encodePcrSelection, type PcrSelection } from '../tcg/pcr-selection.ts'
import { AK_PREFIX } from './ak-template.ts'
import { TpmError } from './error.ts'

/** A quote as it goes to the ledger. */
export interface TpmQuote {
  /** The AK's TPMT_PUBLIC. */
  readonly akPublic: Uint8Array
  /** TPMS_ATTEST. */
  readonly attest: Uint8Array
  /** r ‖ s, 64 bytes, s at most half the group's order. */
  readonly signature: Uint8Array
}

/** What stands in a TPMS_ATTEST of a quote, as far as the device compares it. */
export interface SignedQuote {
  readonly qualifiedSigner: Uint8Array
  readonly extraData: Uint8Array
  /** TPML_PCR_SELECTION, whole. */
  readonly selections: Uint8Array
  readonly pcrDigest: Uint8Array
}

const TPM_GENERATED_VALUE = 0xff544347
const TPM_ST_ATTEST_QUOTE = 0x8018
const MAX_NAME = 66
const MAX_EXTRA_DATA = 64
/** TPMS_CLOCK_INFO and the firmware's version. */
const CLOCK_AND_FIRMWARE_BYTES = 17 + 8
const MAX_DIGEST = 64

/**
 * Reads a quote that the device has asked for, whatever the length of its qualifying data (TPM 2.0 Part 2, 10.12.12).
 *
 * @param attest untrusted
 * @throws TpmError `RESPONSE_UNEXPECTED` where it is no quote; ReadError
 */
export function decodeSignedQuote(attest: Uint8Array): SignedQuote {
  const reader = new Reader(attest)
  if (reader.u32() !== TPM_GENERATED_VALUE || reader.u16() !== TPM_ST_ATTEST_QUOTE) throw unexpected('a quote')
  const qualifiedSigner = reader.sized16(MAX_NAME)
  const extraData = reader.sized16(MAX_EXTRA_DATA)
  reader.bytes(CLOCK_AND_FIRMWARE_BYTES)
  const begin = reader.offset
  // One selection of three select bytes: the device never asks for another.
  reader.bytes(4 + 2 + 1 + 3)
  const selections = attest.subarray(begin, reader.offset)
  const pcrDigest = reader.sized16(MAX_DIGEST)
  reader.end('TPMS_ATTEST')
  return { qualifiedSigner, extraData, selections, pcrDigest }
}

/**
 * Holds a quote against what was asked for, and verifies its signature: an answer to another question, or one that was
 * changed on its way, ends here. Whether the AK is a TPM's is for who appraises it.
 *
 * @throws TpmError `RESPONSE_UNEXPECTED`
 */
export function requireQuoteOf(
  { akPublic, attest, signature }: TpmQuote,
  selection: PcrSelection,
  qualifyingData: Uint8Array,
): SignedQuote {
  const signed = decodeSignedQuote(attest)
  if (!equal(signed.extraData, qualifyingData)) throw unexpected('a quote with the qualifying data that was given')
  if (!equal(signed.selections, encodePcrSelection(selection))) throw unexpected('a quote of the selected PCRs')
  if (!verify('sha256', attest, { key: akKey(akPublic), dsaEncoding: 'ieee-p1363' }, signature)) {
    throw unexpected('a quote that its AK has signed')
  }
  return signed
}

/** A device has one AK: making its key ready takes as long as verifying with it. */
let last: { readonly akPublic: Uint8Array; readonly key: KeyObject } | undefined

function akKey(akPublic: Uint8Array): KeyObject {
  if (last !== undefined && equal(last.akPublic, akPublic)) return last.key
  const reader = new Reader(akPublic.subarray(AK_PREFIX.length))
  const [x, y] = [reader.sized16(32), reader.sized16(32)]
  reader.end('TPMS_ECC_POINT')
  const [jwkX, jwkY] = [x, y].map((coordinate) => Buffer.from(coordinate).toString('base64url'))
  const jwk = { kty: 'EC', crv: 'P-256', x: jwkX ?? '', y: jwkY ?? '' }
  last = { akPublic, key: createPublicKey({ format: 'jwk', key: jwk }) }
  return last.key
}

function unexpected(what: string): TpmError {
  return new TpmError('RESPONSE_UNEXPECTED', `expected ${what}, found something else`)
}
