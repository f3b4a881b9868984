import assert from 'node:assert/strict'
import { EvidenceError, type EvidenceErrorCode } from '../../src/evidence/error.ts'

/** Asserts that a promise is rejected with an EvidenceError of a code. */
export async function refuses(code: EvidenceErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof EvidenceError)
    assert.equal(error.code, code, error.message)
    return true
  })
}
