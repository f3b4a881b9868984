/**
 * Everything that an audit can find: one closed list, each code with what it means. A code never changes its meaning.
 */
export const AUDIT_CODES = {
  // The ledger, as the node tells it
  LEDGER_UNREADABLE: 'the node did not give what the audit asked it for',
  HISTORY_INCONSISTENT: 'an event contradicts the events before it',
  STATE_DIFFERS: "the contract's state is not what its events add up to",
  TRANSACTION_MISSING: 'the transaction that an event names is not there, or stands in another block',
  CALLDATA_MALFORMED: 'the transaction does not call the contract in the way that its event says',
  CALLDATA_DIFFERS: "the transaction's calldata says something else than its event",
  SENDER_WRONG: 'the transaction comes from an address that may not make it',

  // Hosts
  HOST_ID_DIFFERS: "the host's id is not the SHA-256 of its endorsement key",
  EK_CERTIFICATE_INVALID: 'the endorsement key certificate does not lead to the trust store, or is for another key',
  EK_CERTIFICATE_REVOKED:
    'the endorsement key certificate, or an authority above it, was revoked when the TPM spoke for the host, or its key compromised at any time',
  REVOCATION_UNKNOWN:
    'whether the certificate was revoked cannot be told: a revocation list is missing, not of today, or not to be believed',
  ASSURANCE_OVERSTATED: 'the host is registered with more assurance than its certificate gives',
  AK_UNFIT: 'the attestation key is not a restricted signing key fixed to its TPM',
  REGISTRATION_QUOTE_INVALID: "the quote of the host's registration does not hold",
  ADDRESS_CLAIM_INVALID: "the host's ledger key did not sign that it speaks for this host",
  REGISTRAR_UNKNOWN: 'the host was entered, or its status or key changed, by somebody who may not',
  ROTATION_INVALID: "the host's ledger address was changed without the keys that must sign it, or without its TPM",
  REPLACEMENT_INVALID:
    "the host's attestation key was changed without the new one's quote, or its ledger key's consent",
  FRAUD_PROVEN: 'the host signed what contradicts another word of its own, and somebody proved it on the ledger',
  FRAUD_UNFOUNDED: 'the ledger took a proof of fraud that does not hold',

  // VMMs
  VMM_HASH_DIFFERS: 'the vmmHash is not the hash of what was quoted',
  VMM_QUOTE_INVALID: 'the quote that proves that a host booted this VMM does not hold',
  APPROVER_UNKNOWN: 'somebody who is not an approver approved or revoked',
  APPROVAL_SIGNATURE_INVALID: 'the approver did not sign this decision',
  THRESHOLD_MISSED: 'the VMM was authorised by fewer approvers than the threshold',

  // Grants
  GRANT_ID_DIFFERS: "the grant's id is not its EIP-712 digest",
  GRANTOR_WRONG: 'granted, delegated or revoked by somebody who may not',
  GRANT_WIDENED: 'the delegation allows more than what it was delegated from',
  GRANT_SIGNATURE_INVALID: 'the grantor did not sign this grant',
  DATA_ID_DIFFERS: 'the dataId is not that of its owner and salt',

  // Batches
  BATCH_NOT_NEXT: 'the batch does not begin where the one before it ended',
  HEAD_BROKEN: "the batch does not continue the host's head",
  ROOT_DIFFERS: "the batch's root is not that of its records",
  BATCH_QUOTE_INVALID: "the batch's quote does not hold",
  ANCHOR_STALE: 'the quote is bound to a block that is not among the 256 before it',
  PCR_SELECTION_UNFIT: 'the quote covers no PCR, or one that can be reset, or others than the authorised VMM',
  BATCH_EVENT_DIFFERS: "the event's fields are not those of the batch",
  CLOCK_NOT_FORWARD: "the TPM's clock did not go forward since the batch before",
  NV_NOT_FORWARD: "the TPM's counter did not go forward since the batch before",
  VERDICT_DIFFERS: "the contract's verdict on a record is not the one that follows from the history",
  HEAD_DIFFERS: "the host's head or next number in the contract's state is not the recomputed one",

  // Records
  STATUS_UNKNOWN: "the record's status is not a known reason code",
  RESULT_HASH_WRONG: 'a done record without a result hash, or another with one',
  VMM_NOT_AUTHORISED: 'done under a VMM that was not authorised at that block',
  VMM_UNPROVEN: "done under a VMM that the batch's quote does not show",
  HOST_NOT_ACTIVE: 'done by a host that was not active at that block',
  ACCESS_NOT_ALLOWED: 'done although the policy refused it at that block',
  GRANT_OVERUSED: 'done although its grant had no use left',
  DENIAL_UNFOUNDED: 'denied for a reason that did not hold at that block',
  POLICY_BLOCK_FUTURE: 'access was checked at a block that did not exist yet',
  POLICY_BLOCK_STALE:
    "the block at which access was checked is too far from the record's time, or from the batch's anchor",
  TIMESTAMP_FAR: "the record's time is more than an hour from its block's",
  REQUEST_REPEATED: 'one request has more than one record',

  // Receipts
  RECEIPT_INVALID: "the receipt's promise does not hold, or is not by this host",
  REQUEST_SIGNATURE_INVALID: 'the requester did not sign the request',
  REQUEST_DIFFERS: 'the record says something else than the request',
  RECORD_DIFFERS: 'the record on the ledger is not the one in the receipt',
  RECORD_LATE: 'the record came onto the ledger after the block by which it was promised',
  RECORD_OMITTED: 'the record was promised by a block that has passed, and is not there',
} as const

export type AuditCode = keyof typeof AUDIT_CODES
