import { fromHex } from '../core/bytes.ts'
import { verifyEndorsement, type Endorsement, type EndorsementClaim } from '../evidence/endorsement.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Domain } from '../record/eip712.ts'
import type { EnrolRequest } from './enrol-file.ts'

/** What an EK certificate is held against. */
export type EnrolTrust = Pick<EndorsementClaim, 'trustAnchors' | 'hardwareRoots' | 'revocationLists' | 'revocation'>

/** Who judges enrolments. Trusts nothing that a TPM or an HSM says about itself. Needs no TPM. */
export interface Registrar {
  readonly ledger: Ledger
  readonly trust: EnrolTrust
  readonly now: Date
}

/** Whether two domains are one; addresses are hexadecimal of either case. */
export function sameLedger(a: Domain, b: Domain): boolean {
  return a.chainId === b.chainId && a.verifyingContract.toLowerCase() === b.verifyingContract.toLowerCase()
}

/** A domain in words. */
export function ledgerText({ chainId, verifyingContract }: Domain): string {
  return `chain ${chainId}, HostRegistry ${verifyingContract.toLowerCase()}`
}

/** In seconds since the epoch. */
export function secondsOf(now: Date): bigint {
  return BigInt(Math.floor(now.getTime() / 1000))
}

/** @param claimed untrusted. @throws EvidenceError as `verifyEndorsement` */
export function endorsementOf(
  { trust, now }: Registrar,
  claimed: Pick<EnrolRequest, 'ekPublic' | 'ekCertificate' | 'intermediates'>,
): Promise<Endorsement> {
  return verifyEndorsement({
    ...trust,
    ekPublic: fromHex(claimed.ekPublic),
    ekCertificate: fromHex(claimed.ekCertificate),
    intermediates: claimed.intermediates.map((der) => fromHex(der)),
    at: now,
  })
}
