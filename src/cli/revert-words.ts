import { LedgerError } from '../ledger/error.ts'
import { HOST_STATUSES, VMM_STATUSES } from '../ledger/state.ts'

type Words = string | ((args: Readonly<Record<string, unknown>>) => string)

/** What a contract's refusal means to the person who caused it. */
const words: Readonly<Record<string, Words>> = {
  AlreadyApproved: 'this approver has approved it already',
  ApprovalExpired: 'the deadline of an approver’s signature has passed',
  ApprovalSignatureInvalid: 'a signature is not that approver’s, or of something else',
  AssuranceMissing: 'a host has an assurance: software or hardware',
  AttestationKeyTaken: 'this attestation key is a host’s already',
  DataExists: 'this data is registered already',
  DataUnknown: 'no such data is registered',
  DelegationTooDeep: 'the depth is at most 8, and less than that of the grant which is delegated from (its --depth)',
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
  NotGrantor:
    'only the owner of the data may grant it, only the grantee of a grant delegate from it, and only its grantor or the owner of the ' +
    'data revoke it',
  NotRegistrar: 'the signer is no registrar',
  OverlapRunning: 'the last rotation of this host still runs',
  OverlapTooLong: 'the two addresses may overlap for at most 100000 blocks',
  QuoteOutdated: 'this quote was used before, or is older than one that was, or than the prediction; quote again',
  RegistrarsMissing: 'a host registry has at least one registrar',
  RegistrarZero: 'the zero address can be no registrar',
  RegistrarUnchanged: 'it is so already',
  SignatureInvalid: 'the signature is not the grantor’s',
  StatusUnchangeable: ({ from }) => hostWords[HOST_STATUSES[Number(from)] ?? 'None'],
  TermIs: 'the approvers were changed meanwhile; look again',
  ThresholdInvalid: 'the threshold is at least 1 and at most the number of approvers',
  ValidityOver: 'the end of validity has passed already',
  VmmStatusIs: ({ status }) => vmmWords[VMM_STATUSES[Number(status)] ?? 'None'],
}

const hostWords = {
  None: 'this host is not registered',
  Active: 'the host is active: there is nothing to reinstate',
  Suspended: 'the host is suspended already',
  Retired: 'the host is retired, for good',
} as const

const vmmWords = {
  None: 'nobody has proposed this VMM',
  Proposed: 'this VMM is proposed already, and waits for approvals',
  Authorised: 'this VMM is authorised already; where its validity is over, propose it anew',
  Revoked: 'this VMM is revoked: it comes back only by a new proposal and new approvals',
} as const

/** A contract's refusal in words, undefined for any other error. */
export function revertWords(error: unknown): string | undefined {
  if (!(error instanceof LedgerError) || error.code !== 'REVERTED' || error.reason === undefined) return undefined
  const found = words[error.reason.name]
  return typeof found === 'function' ? found(error.reason.args) : found
}
