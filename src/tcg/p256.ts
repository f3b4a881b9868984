/** The order of P-256's group (NIST SP 800-186, 3.2.1.3). */
export const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The field's prime and the curve's b; its a is −3. */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn

/**
 * The one of s and N − s that is at most half the group's order. Both make a valid ECDSA signature and a TPM gives either, so
 * whoever submits a TPM's signature sends this one, and nothing else is taken.
 *
 * @param s from 1 to N − 1
 */
export function lowS(s: bigint): bigint {
  return isLowS(s) ? s : P256_ORDER - s
}

/** Whether s is at most half the group's order. */
export function isLowS(s: bigint): boolean {
  return s <= P256_ORDER / 2n
}

/** Whether two coordinates are a point of P-256. The point at infinity has none. */
export function isP256Point(x: bigint, y: bigint): boolean {
  return x < P && y < P && (y * y - (x * x * x - 3n * x + B)) % P === 0n
}
