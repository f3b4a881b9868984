import { sha1 } from '@noble/hashes/sha1'
import { sha256 as nobleSha256 } from '@noble/hashes/sha256'
import { sha384, sha512 } from '@noble/hashes/sha512'
import * as ethers from 'ethers'
import { fromHex } from '../core/bytes.ts'
import { BANKS, type BankName } from './bank.ts'

/** Hashes whose digests can be computed here: all banks' but SM3's. */
export type ComputableBank = Exclude<BankName, 'sm3_256'>

/** The banks whose hash can be computed here, the shortest digest first. */
export const COMPUTABLE_BANKS: readonly ComputableBank[] = ['sha1', 'sha256', 'sha384', 'sha512']

/** In Node OpenSSL's, which is ten times faster; a browser has no synchronous hash of its own. */
const openssl = (globalThis as { process?: Partial<NodeJS.Process> }).process?.getBuiltinModule?.('node:crypto')

const noble: Readonly<Record<ComputableBank, (bytes: Uint8Array) => Uint8Array>> = {
  sha1,
  sha256: nobleSha256,
  sha384,
  sha512,
}

/** The digest of some bytes, as long as the bank's digests are. Synchronous, in Node and in a browser. */
export function digest(bank: ComputableBank, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(BANKS[bank].length)
  digestInto(bank, bytes, value)
  return value
}

/**
 * The same, written to `target`, which may share memory with `bytes`: for logs of a hundred thousand entries, where an array for
 * each digest costs more than the digest.
 *
 * @param offset where in `target`; the digest must have room there
 */
export function digestInto(bank: ComputableBank, bytes: Uint8Array, target: Uint8Array, offset = 0): void {
  if (openssl === undefined) return target.set(noble[bank](bytes), offset)
  // A string of one character a byte: OpenSSL's answer costs a third of what a Buffer does, and logs are thousands of small hashes.
  const characters = openssl.hash(bank, bytes, 'binary')
  for (let i = 0; i < characters.length; i++) target[offset + i] = characters.charCodeAt(i)
}

/** SHA-256, 32 bytes. Synchronous, in Node and in a browser. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return digest('sha256', bytes)
}

/** Keccak-256 as the EVM has it, 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return fromHex(ethers.keccak256(bytes), 32)
}
