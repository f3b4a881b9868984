import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fromHex, toHex } from '../../src/core/bytes.ts'
import { Reader } from '../../src/core/reader.ts'
import { TPM_ALG } from '../../src/tcg/algorithm.ts'
import { lowS } from '../../src/tcg/p256.ts'

/** Reads a file of test/vectors/tpm; its README says where they come from. */
export function tpmVector(name: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(readFileSync(new URL(`../vectors/tpm/${name}`, import.meta.url)))
}

/** The same, as text. */
export function tpmVectorText(name: string): string {
  return new TextDecoder().decode(tpmVector(name))
}

/** What is behind the two length bytes of a TPM2B_PUBLIC. */
export function tpmtPublic(name: string): Uint8Array<ArrayBuffer> {
  return tpmVector(name).slice(2)
}

/** Hexadecimal without 0x. */
export function hex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

/** A line `key: value` of a tpm2-tools transcript. */
export function transcriptValue(name: string, key: string): string {
  const value = new RegExp(`^${key}: (.*)$`, 'm').exec(tpmVectorText(name))?.[1]
  if (value === undefined) throw new Error(`${name} has no ${key}`)
  return value
}

/** The SHA-256 bank of a `tpm2_pcrread`. */
export function sha256Pcrs(name: string): ReadonlyMap<number, Uint8Array> {
  const bank = /sha256:\n((?: +\d+ *: 0x[0-9A-F]{64}\n?)+)/.exec(tpmVectorText(name))?.[1] ?? ''
  return new Map(Array.from(bank.matchAll(/(\d+) *: 0x(\w+)/g), ([, pcr, value]) => [Number(pcr), hex(value ?? '')]))
}

/** A TPMT_SIGNATURE as it is submitted: r ‖ s with the low s, or RSA's bytes (TPM 2.0 Part 2, 11.3.4). */
export function submittedSignature(tpmtSignature: Uint8Array): Uint8Array<ArrayBuffer> {
  const reader = new Reader(tpmtSignature)
  const [scheme, hash] = [reader.u16(), reader.u16()]
  assert.equal(hash, TPM_ALG.SHA256)
  if (scheme === TPM_ALG.RSASSA) return Uint8Array.from(reader.sized16(256))
  assert.equal(scheme, TPM_ALG.ECDSA)
  const [r, s] = [reader.sized16(32), reader.sized16(32)].map((part) => BigInt(toHex(Uint8Array.of(0, ...part))))
  return scalars(r ?? 0n, lowS(s ?? 0n))
}

/** r ‖ s, 32 bytes each. */
export function scalars(r: bigint, s: bigint): Uint8Array<ArrayBuffer> {
  return fromHex(`0x${[r, s].map((value) => value.toString(16).padStart(64, '0')).join('')}`, 64)
}

export const CAPTURES = ['01-ovmf-baseline', '02-ovmf-cmdline-vmm-changed', '04-ovmf-secureboot-shim-grub']
