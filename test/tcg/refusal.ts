import assert from 'node:assert/strict'
import { TcgError, type TcgErrorCode } from '../../src/tcg/error.ts'

/** Asserts that something throws a TcgError with a code. */
export function refuses(code: TcgErrorCode, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof TcgError && error.code === code, `expected ${code}`)
}

/** Whether a decoder takes the bytes. Anything thrown but a TcgError fails the test. */
export function accepts(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    decode(bytes)
    return true
  } catch (error) {
    if (error instanceof TcgError) return false
    throw error
  }
}
