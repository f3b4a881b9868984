import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { EXIT, exitCodeOf } from '../../src/cli/exit.ts'
import { CodedError } from '../../src/core/error.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cases: readonly (readonly [name: string, code: string, exitCode: number])[] = [
  ['UsageError', 'USAGE', 2],
  ['ConfigError', 'CONFIG_UNKNOWN_KEY', 2],
  ['AuditError', 'TRUST_STORE_EMPTY', 2],
  ['FormatError', 'FORMAT_INVALID', 2],
  ['AgentError', 'HOST_NOT_ENROLLED', 1],
  ['AgentError', 'HOST_AK_MISMATCH', 1],
  ['AgentError', 'SOCKET_IN_USE', 2],
  ['AgentError', 'SOCKET_FAILED', 2],
  ['JournalError', 'JOURNAL_LOCKED', 2],
  ['JournalError', 'JOURNAL_UNREADABLE', 2],
  ['JournalError', 'JOURNAL_OTHER_HOST', 2],
  ['JournalError', 'JOURNAL_ROLLED_BACK', 1],
  ['JournalError', 'COUNTER_BEHIND', 1],
  ['JournalError', 'LEDGER_DIVERGED', 1],
  ['EnrolError', 'HOST_EXISTS', 1],
  ['EnrolError', 'ENROL_FILE_MALFORMED', 2],
  ['EnrolError', 'ENROL_FILE_KIND', 2],
  ['EvidenceError', 'QUOTE_SIGNATURE', 1],
  ['TcgError', 'MALFORMED', 1],
  ['PcrFileError', 'PCR_FILE_FORMAT', 2],
  ['EventLogError', 'LOG_TRUNCATED', 2],
  ['ImaError', 'IMA_FIELD', 2],
  ['EvidenceError', 'EVIDENCE_MALFORMED', 2],
  ['CollectError', 'PCR_MOVED', 3],
  ['CollectError', 'LOG_UNREADABLE', 2],
  ['VmmError', 'LOG_MISMATCH', 1],
  ['VmmError', 'LOG_FULL', 1],
  ['VmmError', 'LOG_BUSY', 2],
  ['VmmError', 'PROFILE_INVALID', 2],
  ['AppraisalError', 'CLAIM_FAILED', 1],
  ['PinError', 'PIN_NOT_APPROVED', 1],
  ['PinError', 'APPROVAL_SIGNATURE', 1],
  ['PinError', 'SEALED_PIN_INVALID', 2],
  ['PinError', 'APPROVAL_INVALID', 2],
  ['PinError', 'APPROVER_KEY_INVALID', 2],
  ['OperationRefused', 'GRANT_REVOKED', 1],
  ['OperationRefused', 'OPERATION_FAILED', 1],
  ['OperationRefused', 'INPUT_TOO_LARGE', 2],
  ['OperationRefused', 'DEVICE_FAILED', 3],
  ['OperationRefused', 'AGENT_STOPPING', 3],
  ['OperationRefused', 'RELEASE_PENDING', 4],
  ['OperationRefused', 'INTERNAL', 5],
  ['RefusalOnRecord', 'GRANT_REVOKED', 1],
  ['RefusalOnRecord', 'RELEASE_PENDING', 4],
  ['Refusal', 'REQUEST_REPLAYED', 1],
  ['ClientError', 'AGENT_UNREACHABLE', 3],
  ['DeviceError', 'DEADLINE', 3],
  ['TpmError', 'TCTI_UNREACHABLE', 3],
  ['TssError', 'LIBRARY_MISSING', 3],
  ['Pkcs11Error', 'PIN_INCORRECT', 3],
  ['Pkcs11Error', 'PIN_FILE_UNSAFE', 2],
  ['Pkcs11Error', 'INTERNAL', 5],
  ['SecretMemoryError', 'LIMIT', 3],
  ['LedgerError', 'UNAVAILABLE', 4],
  ['LedgerError', 'CODE_MISMATCH', 4],
  ['LedgerError', 'DEPLOYMENT_INVALID', 2],
  ['StackError', 'PROGRAM_MISSING', 2],
  ['StackError', 'PROCESS_ENDED', 2],
  ['StackError', 'NOT_READY', 2],
  ['StackError', 'TPM_FAILED', 3],
  ['StackError', 'HSM_FAILED', 3],
  ['StackError', 'LEDGER_FAILED', 4],
]

/** Whoever is told to end by a signal ends with that signal’s exit code. */
const signals = new Set(['InterruptedError'])

type ErrorClass = new (code: string, message: string, ...rest: readonly unknown[]) => CodedError

describe('the exit code', () => {
  let found: ReadonlyMap<string, ErrorClass>
  before(async () => {
    found = new Map([...(await errorClasses())].filter(([name]) => !signals.has(name)))
  })

  it('has the numbers that operators know', () => {
    assert.deepEqual(EXIT, { done: 0, refused: 1, usage: 2, device: 3, ledger: 4, internal: 5 })
  })

  it('is known for every class of errors that there is', () => {
    assert.ok(found.size > 15, [...found.keys()].join(', '))
    const unknown = [...found].filter(([, made]) => exitCodeOf(madeOf(made, 'SOME_CODE')) === EXIT.internal)
    assert.deepEqual(
      unknown.map(([name]) => name),
      [],
    )
  })

  it('is tried here for every class of errors that there is', () => {
    const tried = new Set(cases.map(([name]) => name))
    assert.deepEqual(
      [...found.keys()].filter((name) => !tried.has(name)),
      [],
    )
  })

  for (const [name, code, exitCode] of cases) {
    it(`is ${exitCode} for ${code} of ${name}`, () => {
      const made = found.get(name)
      assert.ok(made !== undefined, 'there is no such class')
      assert.equal(exitCodeOf(madeOf(made, code)), exitCode)
    })
  }

  it('is 5 for what nobody meant to throw', () => {
    for (const thrown of [new Error('a defect'), new RangeError('out of bounds'), 'a text', undefined]) {
      assert.equal(exitCodeOf(thrown), EXIT.internal)
    }
  })
})

/** Every exported class of coded errors, from the files whose text has one. */
async function errorClasses(): Promise<ReadonlyMap<string, ErrorClass>> {
  const classes = new Map<string, ErrorClass>()
  const declared = new Set<string>()
  for (const path of globSync('{src,hil,native}/**/*.ts', { cwd: root })) {
    const names = [...readFileSync(`${root}/${path}`, 'utf8').matchAll(/class (\w+) extends CodedError\b/g)]
    if (names.length === 0) continue
    const module = (await import(pathToFileURL(`${root}/${path}`).href)) as Record<string, unknown>
    for (const [, name = ''] of names) {
      declared.add(name)
      const one = module[name]
      if (typeof one === 'function' && one.prototype instanceof CodedError) classes.set(name, one as ErrorClass)
    }
  }
  assert.deepEqual([...classes.keys()], [...declared], 'each is exported')
  return classes
}

/** An error of a class with some code; what else its constructor takes does not matter here. */
function madeOf(made: ErrorClass, code: string): CodedError {
  const error = new made(code, 'for a test', {})
  return Object.defineProperty(error, 'code', { value: code })
}
