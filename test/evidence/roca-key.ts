import { checkPrimeSync, randomBytes } from 'node:crypto'

/** The product of the first 126 primes, as ROCA's keys of 2048 bits have it (CCS 2017, table 2: 2 to 701). */
const M = primesUpTo(701).reduce((product, prime) => product * prime, 1n)

/** An RSA-2048 key as Infineon's library made them: its primes are k·M + (65537^a mod M). For tests alone. */
export async function rocaKeyPair(): Promise<CryptoKeyPair> {
  const [p, q] = [rocaPrime(), rocaPrime()]
  const d = inverse(65537n, (p - 1n) * (q - 1n))
  const jwk = {
    ...{ kty: 'RSA', e: 'AQAB' },
    ...{ n: encode(p * q), d: encode(d), p: encode(p), q: encode(q) },
    ...{ dp: encode(d % (p - 1n)), dq: encode(d % (q - 1n)), qi: encode(inverse(q, p)) },
  }
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const { n, e, kty } = jwk
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('jwk', jwk, algorithm, true, ['sign']),
    crypto.subtle.importKey('jwk', { n, e, kty }, algorithm, true, ['verify']),
  ])
  return { privateKey, publicKey }
}

function rocaPrime(): bigint {
  for (;;) {
    // The two highest bits set, so that the modulus has 2048 bits.
    const high = (0xc0n << 1016n) | random(1016)
    const prime = (high / M) * M + power(65537n, random(64), M)
    if ((prime - 1n) % 65537n !== 0n && prime >> 1022n === 3n && checkPrimeSync(prime)) return prime
  }
}

function random(bits: number): bigint {
  return BigInt(`0x${randomBytes(bits / 8).toString('hex')}`)
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n
  for (let square = base; exponent > 0n; exponent >>= 1n, square = (square * square) % modulus) {
    if ((exponent & 1n) === 1n) result = (result * square) % modulus
  }
  return result
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [r, s, t, u] = [modulus, value % modulus, 0n, 1n]
  while (s !== 0n) [r, s, t, u] = [s, r % s, u, t - (r / s) * u]
  return ((t % modulus) + modulus) % modulus
}

function primesUpTo(limit: number): readonly bigint[] {
  const primes: number[] = []
  for (let n = 2; n <= limit; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes.map(BigInt)
}

function encode(value: bigint): string {
  const hex = value.toString(16)
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url')
}
