import { createHash } from 'node:crypto'
import { checkPrimeSync } from 'node:crypto'
import { p256 } from '@noble/curves/p256'
import { concat, fromHex, toHex } from '../../src/core/bytes.ts'
import { Writer } from '../../src/core/writer.ts'
import type { SubmittedQuote } from '../../src/ledger/commit.ts'
import { sha256 } from '../../src/tcg/hash.ts'
import { akQualifiedNameOf } from '../../src/tcg/name.ts'
import { lowS } from '../../src/tcg/p256.ts'

/** What a TPM says in a quote beside what it is asked to. */
export interface TpmState {
  readonly clockMs: bigint
  readonly resetCount: number
  readonly restartCount: number
  /** The digest over SHA-256 PCR 13. */
  readonly pcrDigest: Uint8Array
}

/**
 * An attestation key that lies open, for contracts that cannot tell: from a seed, and signing the same always in the same way, so that
 * what its quotes cost on a ledger is always the same. TPMs do neither.
 */
export interface SoftwareAk {
  /** TPMT_PUBLIC (TPM 2.0 Part 2, 12.2.4). */
  readonly akPublic: Uint8Array
  quote(extraData: Uint8Array, state: TpmState): SubmittedQuote
}

/** Restricted signing key of a TPM's own: fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign. */
const ATTRIBUTES = 0x00050072

/** TPMS_QUOTE_INFO over SHA-256 PCR 13 (TPM 2.0 Part 2, 10.12.1). */
export function quoteInfo(pcrDigest: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Writer().bytes(fromHex('0x00000001000b03002000')).sized16(pcrDigest).finish()
}

/** P-256, ECDSA with SHA-256. */
export function eccAk(seed: string): SoftwareAk {
  const key = sha256(new TextEncoder().encode(seed))
  const point = p256.getPublicKey(key, false)
  const akPublic = new Writer()
    .bytes(fromHex('0x0023000b'))
    .u32(ATTRIBUTES)
    .bytes(fromHex('0x000000100018000b00030010'))
    .sized16(point.subarray(1, 33))
    .sized16(point.subarray(33))
    .finish()
  const sign = (attest: Uint8Array): Uint8Array => {
    const { r, s } = p256.sign(sha256(attest), key)
    return concat(word(r), word(lowS(s)))
  }
  return { akPublic, quote: (extraData, state) => quoteBy(akPublic, sign, extraData, state) }
}

/** RSA-2048, RSASSA with SHA-256 (PKCS #1 v1.5, RFC 8017, 8.2). */
export function rsaAk(seed: string): SoftwareAk {
  const [p, q] = [primeFrom(`${seed}/p`), primeFrom(`${seed}/q`)]
  const modulus = p * q
  const exponent = inverse(65_537n, (p - 1n) * (q - 1n))
  const akPublic = new Writer()
    .bytes(fromHex('0x0001000b'))
    .u32(ATTRIBUTES)
    .bytes(fromHex('0x000000100014000b080000000000'))
    .sized16(bytesOf(modulus, 256))
    .finish()
  const sign = (attest: Uint8Array): Uint8Array => {
    const digestInfo = concat(fromHex('0x3031300d060960864801650304020105000420'), sha256(attest))
    const padding = new Uint8Array(256 - 3 - digestInfo.length).fill(0xff)
    const encoded = concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), digestInfo)
    return bytesOf(power(BigInt(toHex(encoded)), exponent, modulus), 256)
  }
  return { akPublic, quote: (extraData, state) => quoteBy(akPublic, sign, extraData, state) }
}

function quoteBy(
  akPublic: Uint8Array,
  sign: (attest: Uint8Array) => Uint8Array,
  extraData: Uint8Array,
  { clockMs, resetCount, restartCount, pcrDigest }: TpmState,
): SubmittedQuote {
  // TPMS_ATTEST (TPM 2.0 Part 2, 10.12.12): magic, type, qualified signer, extra data, clock, firmware, quote.
  const attest = new Writer()
    .bytes(fromHex('0xff5443478018'))
    .sized16(concat(Uint8Array.of(0, 0x0b), akQualifiedNameOf(akPublic)))
    .sized16(extraData)
    .u64(clockMs)
    .u32(resetCount)
    .u32(restartCount)
    .u8(1)
    .u64(0x2019_1023_0016_3636n)
    .bytes(quoteInfo(pcrDigest))
    .finish()
  return { akPublic, attest, signature: sign(attest) }
}

/** The next prime after 1024 bits of a seed, of which the two highest are set. */
function primeFrom(seed: string): bigint {
  const drawn = Array.from({ length: 4 }, (_, i) => createHash('sha256').update(`${seed}/${i}`).digest())
  let candidate = BigInt(toHex(concat(...drawn))) | (3n << 1022n) | 1n
  while (!checkPrimeSync(candidate)) candidate += 2n
  return candidate
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus
    if (bit === '1') result = (result * base) % modulus
  }
  return result
}

/** By Euclid's algorithm; `value` and `modulus` have no common divisor. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [modulus, value, 0n, 1n]
  while (b > 0n) [a, b, x, y] = [b, a % b, y, x - (a / b) * y]
  return ((x % modulus) + modulus) % modulus
}

function word(value: bigint): Uint8Array<ArrayBuffer> {
  return bytesOf(value, 32)
}

function bytesOf(value: bigint, length: number): Uint8Array<ArrayBuffer> {
  return fromHex(`0x${value.toString(16).padStart(2 * length, '0')}`, length)
}
