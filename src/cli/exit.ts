import { codeOf } from '../core/error.ts'
import { OperationRefused } from '../agent/client.ts'

/** Exit codes of every command (docs/operators.md). */
export const EXIT = { done: 0, refused: 1, usage: 2, device: 3, ledger: 4, internal: 5 } as const

const classes: Readonly<Record<string, number>> = {
  UsageError: EXIT.usage,
  StackError: EXIT.usage,
  ClientError: EXIT.device,
  ConfigError: EXIT.usage,
  DeviceError: EXIT.device,
  TpmError: EXIT.device,
  Pkcs11Error: EXIT.device,
  LedgerError: EXIT.ledger,
  EvidenceError: EXIT.refused,
  TcgError: EXIT.refused,
  VmmError: EXIT.refused,
  EnrolError: EXIT.refused,
  AppraisalError: EXIT.refused,
  AuditError: EXIT.usage,
}

/** Codes that belong to another class than their error does: a faulty file is the caller's, not the ledger's. */
const codes: Readonly<Record<string, number>> = {
  DEPLOYMENT_INVALID: EXIT.usage,
  KEY_FILE_INVALID: EXIT.usage,
  KEY_FILE_UNSAFE: EXIT.usage,
  PIN_FILE_UNSAFE: EXIT.usage,
  DEVICE_UNAVAILABLE: EXIT.device,
  RESULT_LOST: EXIT.device,
  LEDGER_UNAVAILABLE: EXIT.ledger,
  LEDGER_STALE: EXIT.ledger,
  RELEASE_PENDING: EXIT.ledger,
  REQUEST_MALFORMED: EXIT.usage,
  INPUT_TOO_LARGE: EXIT.usage,
}

/** The exit code that an error calls for. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error)
  if (code === undefined || !(error instanceof Error)) return EXIT.internal
  return codes[code] ?? (error instanceof OperationRefused ? EXIT.refused : (classes[error.name] ?? EXIT.internal))
}
