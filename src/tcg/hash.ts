import * as ethers from 'ethers'
import { fromHex } from '../core/bytes.ts'

/** SHA-256, 32 bytes. Synchronous, in Node and in a browser. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return fromHex(ethers.sha256(bytes), 32)
}

/** Keccak-256 as the EVM has it, 32 bytes. */
export function keccak256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return fromHex(ethers.keccak256(bytes), 32)
}
