import * as ethers from 'ethers'
import { concat, fromHex, type Hex } from '../core/bytes.ts'

export const ZERO_HASH: Hex = `0x${'00'.repeat(32)}`
export const ZERO_ADDRESS: Hex = `0x${'00'.repeat(20)}`

export function keccak256(bytes: Uint8Array): Hex {
  return ethers.keccak256(bytes) as Hex
}

export function sha256(bytes: Uint8Array): Hex {
  return ethers.sha256(bytes) as Hex
}

const utf8 = new TextEncoder()

/** `keccak256("attestry/op/" ‖ name ‖ "/" ‖ version)`. */
export function operationId(name: string, version = 1): Hex {
  return keccak256(utf8.encode(`attestry/op/${name}/${version}`))
}

/** `keccak256(abi.encode(owner, salt))`. */
export function dataId(owner: Hex, salt: Hex): Hex {
  return keccak256(concat(new Uint8Array(12), fromHex(owner, 20), fromHex(salt, 32)))
}

/** Salted hash of an operation's input: `sha256("attestry/input/1" ‖ salt ‖ input)`. */
export function hashInput(salt: Hex, input: Uint8Array): Hex {
  return sha256(concat(utf8.encode('attestry/input/1'), fromHex(salt, 32), input))
}

/** Salted hash of an operation's result: `sha256("attestry/result/1" ‖ salt ‖ result)`. */
export function hashResult(salt: Hex, result: Uint8Array): Hex {
  return sha256(concat(utf8.encode('attestry/result/1'), fromHex(salt, 32), result))
}
