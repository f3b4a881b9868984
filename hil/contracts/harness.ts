import { readFileSync } from 'node:fs'
import { Interface, type InterfaceAbi } from 'ethers'
import type { Hex } from '../../src/core/bytes.ts'

/** A contract that only tests and measurements deploy (contracts/test/harness), as it was compiled. */
export interface Harness {
  readonly abi: Interface
  readonly bytecode: Hex
  readonly deployedBytecode: Hex
}

export function readHarness(name: 'Meter' | 'QuoteHarness' | 'Wallet'): Harness {
  const url = new URL(`../../build/contracts/harness/${name}.json`, import.meta.url)
  const { abi, ...code } = JSON.parse(readFileSync(url, 'utf8')) as {
    abi: InterfaceAbi
    bytecode: Hex
    deployedBytecode: Hex
  }
  return { abi: new Interface(abi), ...code }
}
