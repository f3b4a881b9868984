const GENERATOR = 65537n

/**
 * Whether an RSA modulus has the form that Infineon's library gave its keys, of which the private key can be computed from the
 * public one (CVE-2017-15361, ROCA; Nemec, Sys, Svenda, Klinec, Matyas: "The Return of Coppersmith's Attack", CCS 2017).
 *
 * Its primes are k·M + (65537^a mod M), M the product of the first primes. So modulo each of these primes the modulus is a
 * power of 65537, which most residues are not.
 *
 * @param modulus untrusted; big-endian
 */
export function isRocaModulus(modulus: Uint8Array): boolean {
  let value = 0n
  for (const byte of modulus) value = (value << 8n) | BigInt(byte)
  return TESTS.every(({ prime, powers }) => powers.has(value % prime))
}

/**
 * The primes below 168 modulo which not every residue is a power of 65537; modulo the others the test says nothing. They are among
 * the first primes for every length of key. A random modulus passes all of them once in about 2^27 times.
 */
const TESTS = primesBelow(168)
  .map((prime) => ({ prime, powers: powersModulo(prime) }))
  .filter(({ prime, powers }) => BigInt(powers.size) < prime - 1n)

function primesBelow(limit: number): readonly bigint[] {
  const primes: number[] = []
  for (let n = 3; n < limit; n += 2) if (primes.every((prime) => n % prime !== 0)) primes.push(n)
  return primes.map(BigInt)
}

function powersModulo(prime: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>()
  for (let power = 1n; !powers.has(power); power = (power * GENERATOR) % prime) powers.add(power)
  return powers
}
