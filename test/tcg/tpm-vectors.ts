import { readFileSync } from 'node:fs'

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

export const CAPTURES = ['01-ovmf-baseline', '02-ovmf-cmdline-vmm-changed', '04-ovmf-secureboot-shim-grub']
