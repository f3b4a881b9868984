import assert from 'node:assert/strict'
import { ReadError } from '../../src/core/reader.ts'
import { asTpmError, reviveTpmError, TpmError } from '../../src/tpm/error.ts'
import { tpmError } from './suite.ts'

const failure = (rc: number, command = 'Quote', code = 'CALL_FAILED') =>
  Object.assign(new Error('words'), { code, rc, command })

describe('asTpmError', () => {
  it('tells apart what is to be done about it', () => {
    const cases = [
      [failure(0x000a000a), 'TCTI_UNREACHABLE'],
      [failure(0x000a000b), 'TCTI_UNREACHABLE'],
      [failure(0x000a000b, 'TctiLdr_Initialize'), 'TCTI_INVALID'],
      [failure(0x000a0015, 'TctiLdr_Initialize'), 'TCTI_INVALID'],
      [failure(0x9a2), 'AUTHORIZATION_REFUSED'],
      [failure(0x98e), 'AUTHORIZATION_REFUSED'],
      [failure(0x902), 'TPM_RC'],
      [failure(0x00070007), 'TPM_RC'],
      [failure(0, 'load', 'LIBRARY_MISSING'), 'LIBRARY_MISSING'],
      [failure(0, 'load', 'LIBRARY_VERSION'), 'LIBRARY_VERSION'],
      [new ReadError('too short'), 'RESPONSE_UNEXPECTED'],
    ] as const
    for (const [thrown, code] of cases) tpmError(code)(asTpmError(thrown))
  })

  it('keeps the return code, the command and the cause', () => {
    const thrown = failure(0x902)
    const error = asTpmError(thrown)
    assert.ok(error instanceof TpmError)
    assert.deepEqual([error.rc, error.command, error.cause], [0x902, 'Quote', thrown])
  })

  it('leaves other errors as they are', () => {
    const error = new TypeError('a mistake')
    assert.equal(asTpmError(error), error)
  })
})

describe('reviveTpmError', () => {
  it('makes the same error again, and none of an unknown code', () => {
    const error = reviveTpmError('TPM_RC', 'words', { rc: 0x902, command: 'Quote' })
    assert.ok(error instanceof TpmError)
    assert.deepEqual([error.code, error.message, error.rc, error.command], ['TPM_RC', 'words', 0x902, 'Quote'])
    assert.ok(!(reviveTpmError('INTERNAL', 'words', undefined) instanceof TpmError))
  })
})
