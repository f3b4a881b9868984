import assert from 'node:assert/strict'
import { AbiCoder, id } from 'ethers'
import type { Hex } from '../../src/core/bytes.ts'

/** What a call of many came to. */
export interface Outcome {
  readonly isRefused: boolean
  /** What it returned or reverted with. */
  readonly answer: Hex
}

const WORD = 32
const CALL_ALL = id('callAll(bytes[])').slice(0, 10)
const coder = AbiCoder.defaultAbiCoder()

/**
 * Makes many calls of a contract at once, through its `callAll(bytes[]) returns ((bool isRefused, bytes answer)[])`. Encoded and
 * decoded here, word by word: with ethers that takes longer than all the calls.
 */
export async function callAll(rpc: string, to: string, calls: readonly Hex[]): Promise<readonly Outcome[]> {
  // More gas than any block has: a hundred calls may each do elliptic curves in Solidity.
  const data = encodeCalls(calls)
  const result = await request(rpc, 'eth_call', [{ to, data, gas: '0x7fffffffff' }, 'latest'])
  return decodeOutcomes(result)
}

/** The data of a call. */
export function encodeCall(signature: string, types: readonly string[], values: readonly unknown[]): Hex {
  return `${selectorOf(signature)}${coder.encode(types, values).slice(2)}` as Hex
}

/** A JSON-RPC request. @throws AssertionError when it is refused */
export async function request(rpc: string, method: string, params: readonly unknown[]): Promise<string> {
  const response = await fetch(rpc, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const { error, result } = (await response.json()) as { error?: { message: string }; result: string }
  assert.equal(error, undefined, `${method}: ${error?.message ?? ''}`)
  return result
}

/** What a call reverts with, undefined where it does not. @throws AssertionError when it is refused otherwise */
export async function refusalOf(
  rpc: string,
  call: { readonly from?: Hex; readonly to: Hex; readonly data: Hex },
): Promise<Hex | undefined> {
  const response = await fetch(rpc, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_call', params: [call, 'latest'] }),
  })
  const { error } = (await response.json()) as { error?: { message: string; data?: Hex } }
  if (error === undefined) return undefined
  assert.ok(error.data !== undefined, `eth_call: ${error.message}`)
  return error.data
}

const selectors = new Map<string, string>()

function selectorOf(signature: string): string {
  const known = selectors.get(signature) ?? id(signature).slice(0, 10)
  selectors.set(signature, known)
  return known
}

function encodeCalls(calls: readonly Hex[]): Hex {
  const heads: string[] = []
  const tails: string[] = []
  let offset = calls.length * WORD
  for (const call of calls) {
    const [digits, length] = [call.slice(2), call.length / 2 - 1]
    const tail = word(length) + digits.padEnd(Math.ceil(length / WORD) * WORD * 2, '0')
    heads.push(word(offset))
    tails.push(tail)
    offset += tail.length / 2
  }
  return `${CALL_ALL}${word(WORD)}${word(calls.length)}${heads.join('')}${tails.join('')}` as Hex
}

function decodeOutcomes(result: string): readonly Outcome[] {
  const bytes = Buffer.from(result.slice(2), 'hex')
  // The upper bytes of a word are zero for all that fits here.
  const number = (at: number): number => bytes.readUInt32BE(at + WORD - 4)
  const list = number(0) + WORD
  return Array.from({ length: number(list - WORD) }, (_, i) => {
    const outcome = list + number(list + i * WORD)
    const answer = outcome + number(outcome + WORD)
    const start = answer + WORD
    const digits = bytes.toString('hex', start, start + number(answer))
    return { isRefused: number(outcome) === 1, answer: `0x${digits}` }
  })
}

function word(value: number): string {
  return value.toString(16).padStart(2 * WORD, '0')
}
