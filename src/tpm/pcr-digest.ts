import { hash } from 'node:crypto'
import { concat } from '../core/bytes.ts'

/** What an AK with SHA-256 signs of PCR values (TPM 2.0 Part 2, 10.12.1): their digest in the order of their numbers. */
export function pcrDigest(values: ReadonlyMap<number, Uint8Array>): Uint8Array {
  const inOrder = [...values].sort(([a], [b]) => a - b).map(([, value]) => value)
  return hash('sha256', concat(...inOrder), 'buffer')
}
