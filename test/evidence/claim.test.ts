import assert from 'node:assert/strict'
import { claim, notCovered, resultOf, type ClaimCode } from '../../src/evidence/claim.ts'

const passing = claim('a', 'x', 'x', true, 'PCR_DIFFERS')
const uncovered = (code: ClaimCode) => notCovered('b', 'x', 'none', code)

describe('resultOf', () => {
  it('is good only where something passed', () => {
    assert.equal(resultOf([]).ok, false)
    assert.equal(resultOf([uncovered('NOT_IN_POLICY')]).ok, false)
    assert.equal(resultOf([uncovered('NOT_IN_POLICY'), passing]).ok, true)
  })

  it('is good beside nothing but what the policy says nothing of, and a key whose place cannot be told', () => {
    assert.equal(resultOf([passing, uncovered('SIGNER_UNPLACED')]).ok, true)
    assert.equal(resultOf([passing, uncovered('PCR_UNEXPLAINED')]).ok, false)
    assert.equal(resultOf([passing, claim('c', 'x', 'y', false, 'NOT_IN_POLICY')]).ok, false)
  })
})
