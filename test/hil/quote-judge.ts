import assert from 'node:assert/strict'
import { createHash, createPublicKey, verify } from 'node:crypto'

/** What a quote must be, by whoever asked. */
export interface ExpectedQuote {
  /** TPMT_PUBLIC of a P-256 key, as it was read before any fault. */
  readonly akPublic: Uint8Array
  /** Of the SHA-256 bank, each below 24. */
  readonly pcrs: readonly number[]
  readonly nonce: Uint8Array
  /** The values that came with it, in order. */
  readonly values: readonly Uint8Array[]
}

const POINT_BYTES = 32

/**
 * Judges a quote by bytes and OpenSSL alone, with nothing of what it judges: TPMS_ATTEST as TPM 2.0 Part 2, 10.12.12 lays it out.
 */
export function assertQuote(attest: Uint8Array, signature: Uint8Array, expected: ExpectedQuote): void {
  const { akPublic, pcrs, nonce, values } = expected
  // The point is the last of a public area: two sized buffers.
  const y = Buffer.from(akPublic.subarray(-POINT_BYTES)).toString('base64url')
  const x = Buffer.from(akPublic.subarray(-2 * POINT_BYTES - 2, -POINT_BYTES - 2)).toString('base64url')
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  assert.ok(verify('sha256', attest, { key, dsaEncoding: 'ieee-p1363' }, signature), 'the signature is another’s')

  const bytes = Buffer.from(attest)
  assert.equal(bytes.subarray(0, 6).toString('hex'), 'ff5443478018', 'no quote')
  let at = 6 + 2 + bytes.readUInt16BE(6)
  const extra = bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at))
  assert.deepEqual(extra, Buffer.from(nonce), 'a quote over other data')
  at += 2 + nonce.length + 17 + 8
  const mask = Buffer.alloc(3)
  for (const pcr of pcrs) mask.writeUInt8((mask[pcr >> 3] ?? 0) | (1 << (pcr & 7)), pcr >> 3)
  const selection = Buffer.concat([Buffer.from('00000001000b03', 'hex'), mask])
  const digest = createHash('sha256').update(Buffer.concat(values)).digest()
  const rest = Buffer.concat([selection, Buffer.from([0, digest.length]), digest])
  assert.deepEqual(bytes.subarray(at), rest, 'other PCRs, or other values')
}
