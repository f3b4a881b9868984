import { codeOf } from '../core/error.ts'

/** Exit codes of every command (docs/operators.md). */
export const EXIT = { done: 0, refused: 1, usage: 2, device: 3, ledger: 4, internal: 5 } as const

/** By the error's class. */
const classes: Readonly<Record<string, number>> = {
  UsageError: EXIT.usage,
  StackError: EXIT.usage,
  ClientError: EXIT.device,
  ConfigError: EXIT.usage,
  DeviceError: EXIT.device,
  TpmError: EXIT.device,
  TssError: EXIT.device,
  Pkcs11Error: EXIT.device,
  SecretMemoryError: EXIT.device,
  LedgerError: EXIT.ledger,
  FormatError: EXIT.usage,
  EvidenceError: EXIT.refused,
  TcgError: EXIT.refused,
  PcrFileError: EXIT.usage,
  EventLogError: EXIT.usage,
  ImaError: EXIT.usage,
  CollectError: EXIT.device,
  PinError: EXIT.refused,
  VmmError: EXIT.refused,
  EnrolError: EXIT.refused,
  AppraisalError: EXIT.refused,
  AgentError: EXIT.refused,
  JournalError: EXIT.refused,
  Refusal: EXIT.refused,
  OperationRefused: EXIT.refused,
  RefusalOnRecord: EXIT.refused,
  AuditError: EXIT.usage,
}

/** Codes that belong to another class than their error does: a faulty file is the caller's, not the ledger's. */
const codes: Readonly<Record<string, number>> = {
  // A contract's refusal is the policy's, not a failure of the ledger.
  REVERTED: EXIT.refused,
  // Files and settings of the caller's.
  DEPLOYMENT_INVALID: EXIT.usage,
  DEPLOYMENT_CHANGED: EXIT.usage,
  DEPLOYMENT_BUSY: EXIT.usage,
  ENDPOINT_INVALID: EXIT.usage,
  TRANSACTION_TYPE_UNSUPPORTED: EXIT.usage,
  KEY_FILE_INVALID: EXIT.usage,
  KEY_FILE_UNSAFE: EXIT.usage,
  KEY_LABEL_INVALID: EXIT.usage,
  PIN_FILE_INVALID: EXIT.usage,
  PIN_FILE_MISSING: EXIT.usage,
  PIN_FILE_UNSAFE: EXIT.usage,
  ENROL_FILE_KIND: EXIT.usage,
  ENROL_FILE_MALFORMED: EXIT.usage,
  APPROVER_KEY_INVALID: EXIT.usage,
  PCRS_INVALID: EXIT.usage,
  PIN_UNSUITABLE: EXIT.usage,
  SEALED_PIN_INVALID: EXIT.usage,
  APPROVAL_INVALID: EXIT.usage,
  EVIDENCE_MALFORMED: EXIT.usage,
  LOG_UNREADABLE: EXIT.usage,
  PROFILE_INVALID: EXIT.usage,
  PCR_RESETTABLE: EXIT.usage,
  COMPONENT_UNKNOWN: EXIT.usage,
  // Another process is at work there, or a path is not one for this host.
  JOURNAL_LOCKED: EXIT.usage,
  JOURNAL_OTHER_HOST: EXIT.usage,
  JOURNAL_UNREADABLE: EXIT.usage,
  LOG_BUSY: EXIT.usage,
  TCTI_INVALID: EXIT.usage,
  SOCKET_FAILED: EXIT.usage,
  SOCKET_IN_USE: EXIT.usage,
  WATCH_FAILED: EXIT.usage,
  // The local stack's parts.
  TPM_FAILED: EXIT.device,
  HSM_FAILED: EXIT.device,
  LEDGER_FAILED: EXIT.ledger,
  // What an agent answers.
  REQUEST_MALFORMED: EXIT.usage,
  REQUEST_OPERATION_UNKNOWN: EXIT.usage,
  INPUT_TOO_LARGE: EXIT.usage,
  AGENT_BUSY: EXIT.device,
  AGENT_STOPPING: EXIT.device,
  DEVICE_FAILED: EXIT.device,
  DEVICE_UNAVAILABLE: EXIT.device,
  INTERRUPTED: EXIT.device,
  JOURNAL_UNAVAILABLE: EXIT.device,
  RESULT_LOST: EXIT.device,
  LEDGER_UNAVAILABLE: EXIT.ledger,
  LEDGER_STALE: EXIT.ledger,
  RELEASE_PENDING: EXIT.ledger,
  INTERNAL: EXIT.internal,
}

/** The exit code that an error calls for. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error)
  if (code === undefined || !(error instanceof Error)) return EXIT.internal
  return codes[code] ?? classes[error.name] ?? EXIT.internal
}
