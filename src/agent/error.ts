import { CodedError } from '../core/error.ts'

/**
 * - `JOURNAL_LOCKED`: another process has the journal open
 * - `JOURNAL_UNREADABLE`: it cannot be opened, is damaged, or was written by another version
 * - `JOURNAL_OTHER_HOST`: it belongs to another host or another ledger
 * - `JOURNAL_ROLLED_BACK`: TPM or ledger know of more than it does: it was restored from an old copy, or removed
 * - `COUNTER_BEHIND`: the TPM's counter is lower than it was: an emulator's state was restored, or another NV index is set
 * - `LEDGER_DIVERGED`: the ledger holds other records of this host than the journal: two agents with one identity, or
 *   another chain behind the same address
 */
export type JournalErrorCode =
  | 'JOURNAL_LOCKED'
  | 'JOURNAL_UNREADABLE'
  | 'JOURNAL_OTHER_HOST'
  | 'JOURNAL_ROLLED_BACK'
  | 'COUNTER_BEHIND'
  | 'LEDGER_DIVERGED'

/** Why the journal cannot be trusted or used. The agent stops; nothing was written to the ledger since. */
export class JournalError extends CodedError<JournalErrorCode> {}

/**
 * - `HOST_NOT_ENROLLED`: the ledger does not know this TPM
 * - `HOST_AK_MISMATCH`: the ledger knows it with another attestation key
 * - `HOST_ADDRESS_MISMATCH`: the ledger knows it with another ledger address than the HSM's
 * - `SOCKET_IN_USE`: somebody answers at the agent's socket
 * - `SOCKET_FAILED`: the socket cannot be listened on
 */
export type AgentErrorCode =
  'HOST_NOT_ENROLLED' | 'HOST_AK_MISMATCH' | 'HOST_ADDRESS_MISMATCH' | 'SOCKET_IN_USE' | 'SOCKET_FAILED'

/** Why an agent did not start. */
export class AgentError extends CodedError<AgentErrorCode> {}
