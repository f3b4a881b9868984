import { LedgerError } from '../ledger/error.ts'

/** What a contract's refusal means to the person who caused it. */
const words: Readonly<Record<string, string>> = {
  AlreadyApproved: 'this approver has approved it already',
  ApprovalExpired: 'the deadline of an approver’s signature has passed',
  ApprovalSignatureInvalid: 'a signature is not that approver’s, or of something else',
  AssuranceMissing: 'a host has an assurance: software or hardware',
  AttestationKeyTaken: 'this attestation key is a host’s already',
  DataExists: 'this data is registered already',
  DataUnknown: 'no such data is registered',
  DelegationTooDeep: 'the grant allows no further delegation below it (its --depth)',
  DelegationWidens: 'a delegation may only narrow what was granted: operation, times, uses, VMM, host, assurance',
  EpochIs: 'the VMM was proposed anew meanwhile; look again',
  GrantEmpty: 'the grant would allow nothing: no use, no grantee, or an end before its beginning',
  GrantIsCancelled: 'the grantor has cancelled this grant before it was used',
  GrantExists: 'this grant is on the ledger already',
  GrantIsExpired: 'the grant to delegate from has expired',
  GrantIsRevoked: 'the grant was revoked, or one that it hangs below',
  GrantUnknown: 'no such grant is on the ledger',
  HostExists: 'this host is registered already, with other keys',
  HostIsRetired: 'the host is retired, for good',
  HostNotSuspended: 'the host is not suspended: suspend it first',
  HostNotActive: 'the host is not registered, or suspended',
  HostUnknown: 'this host is not registered',
  LedgerAddressTaken: 'this ledger address is, or was, a host’s already',
  ManifestIs: 'the VMM was proposed with another event log',
  NotApprover: 'the signer is no approver',
  NotCandidate: 'the ownership was not offered to the signer',
  NotOwner: 'only the owner of the data may offer it',
  NotRegistrarNorApprover: 'the signer is neither a registrar nor an approver',
  NonceIs: 'the registrar was changed meanwhile; look again',
  NotGrantor: 'only the owner of the data may grant it, and only the grantee of a grant may delegate from it',
  NotRegistrar: 'the signer is no registrar',
  OverlapRunning: 'the last rotation of this host still runs',
  OverlapTooLong: 'the two addresses may overlap for at most 100000 blocks',
  QuoteOutdated: 'this quote was used before, or is older than one that was, or than the prediction; quote again',
  RegistrarsMissing: 'a host registry has at least one registrar',
  RegistrarZero: 'the zero address can be no registrar',
  RegistrarUnchanged: 'it is so already',
  SignatureInvalid: 'the signature is not the grantor’s',
  StatusUnchangeable: 'the host’s status does not allow it',
  TermIs: 'the approvers were changed meanwhile; look again',
  ThresholdInvalid: 'the threshold is at least 1 and at most the number of approvers',
  ValidityOver: 'the end of validity has passed already',
  VmmStatusIs: 'the VMM is not waiting for approval: nobody proposed it, or it is authorised or revoked already',
}

/** A contract's refusal in words, undefined for any other error. */
export function revertWords(error: unknown): string | undefined {
  if (!(error instanceof LedgerError) || error.code !== 'REVERTED' || error.reason === undefined) return undefined
  return words[error.reason.name]
}
