import { LedgerError } from '../ledger/error.ts'

/** What a contract's refusal means to the person who caused it. */
const words: Readonly<Record<string, string>> = {
  AlreadyApproved: 'this approver has approved it already',
  DataExists: 'this data is registered already',
  DataUnknown: 'no such data is registered',
  DelegationTooDeep: 'the grant allows no further delegation below it (its --depth)',
  DelegationWidens: 'a delegation may only narrow what was granted: operation, times, uses, VMM, host, assurance',
  EpochIs: 'the VMM was proposed anew meanwhile; look again',
  GrantEmpty: 'the grant would allow nothing: no use, no grantee, or an end before its beginning',
  GrantExists: 'this grant is on the ledger already',
  GrantIsExpired: 'the grant to delegate from has expired',
  GrantIsRevoked: 'the grant was revoked, or one that it hangs below',
  GrantUnknown: 'no such grant is on the ledger',
  HostExists: 'this host is registered already, with other keys',
  HostNotActive: 'the host is not registered, or suspended',
  HostUnknown: 'this host is not registered',
  LedgerAddressTaken: 'another host is registered with this ledger address',
  NotApprover: 'the signer is no approver',
  NotGrantor: 'only the owner of the data may grant it, and only the grantee of a grant may delegate from it',
  NotRegistrar: 'the signer is no registrar',
  SignatureInvalid: 'the signature is not the grantor’s',
  VmmStatusIs: 'the VMM is not waiting for approval: nobody proposed it, or it is authorised or revoked already',
}

/** A contract's refusal in words, undefined for any other error. */
export function revertWords(error: unknown): string | undefined {
  if (!(error instanceof LedgerError) || error.code !== 'REVERTED' || error.reason === undefined) return undefined
  return words[error.reason.name]
}
