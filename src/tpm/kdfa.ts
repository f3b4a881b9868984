import { createHmac } from 'node:crypto'
import { Writer } from '../core/writer.ts'

const DIGEST_BITS = 256

/**
 * Derives a key of at most 256 bits: KDFa with SHA-256, a counter-mode KDF with HMAC (TPM 2.0 Part 1, 11.4.10.2; NIST
 * SP 800-108). The one block that it gives has the counter 1.
 *
 * @param label without a terminating zero, which is added
 * @param bits whole bytes
 */
export function kdfa(
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  if (bits % 8 !== 0 || bits > DIGEST_BITS)
    throw new RangeError(`expected whole bytes up to 256 bits, found ${bits} bits`)
  const input = new Writer()
    .u32(1)
    .bytes(new TextEncoder().encode(`${label}\0`))
    .bytes(contextU)
    .bytes(contextV)
    .u32(bits)
    .finish()
  return Uint8Array.from(
    createHmac('sha256', key)
      .update(input)
      .digest()
      .subarray(0, bits / 8),
  )
}
