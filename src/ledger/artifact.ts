import { readFile } from 'node:fs/promises'
import type { InterfaceAbi } from 'ethers'
import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import type { ContractName } from './deployment.ts'
import { LedgerError } from './error.ts'

/** A contract as the compiler gave it (build/contracts/NAME.json). */
export interface Artifact {
  readonly abi: InterfaceAbi
  readonly bytecode: Hex
  /** Zero where the constructor writes. */
  readonly deployedBytecode: Hex
  /** Where the constructor writes: start and length in bytes. */
  readonly immutables: readonly (readonly [start: number, length: number])[]
}

/** @throws LedgerError DEPLOYMENT_FAILED where it is not compiled */
export async function readArtifact(name: ContractName): Promise<Artifact> {
  const file = `${name.charAt(0).toUpperCase()}${name.slice(1)}.json`
  try {
    const text = await readFile(new URL(`../../build/contracts/${file}`, import.meta.url), 'utf8')
    return JSON.parse(text) as Artifact
  } catch (cause) {
    const message = `${name} is not compiled ("npm run build" does it): ${messageOf(cause)}`
    throw new LedgerError('DEPLOYMENT_FAILED', message, { cause })
  }
}

/** Whether code is what was compiled, wherever the constructor does not write. */
export function isCompiled(code: Uint8Array, compiled: Uint8Array, immutables: Artifact['immutables']): boolean {
  if (code.length !== compiled.length) return false
  const written = new Set(immutables.flatMap(([start, length]) => Array.from({ length }, (_, i) => start + i)))
  return compiled.every((byte, i) => written.has(i) || byte === code[i])
}
