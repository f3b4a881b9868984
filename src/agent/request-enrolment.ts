import { randomBytes } from 'node:crypto'
import { toHex, type Hex } from '../core/bytes.ts'
import type { Hsm } from '../hsm/hsm.ts'
import type { Domain } from '../record/eip712.ts'
import type { Tpm } from '../tpm/tpm.ts'
import type { EnrolRequest } from './enrol-file.ts'
import { requestHashOf } from './enrol-hash.ts'

/** The devices that make a host. */
export interface HostDevices {
  readonly tpm: Pick<Tpm, 'endorsementKey' | 'attestationKey' | 'activateCredential' | 'quote'>
  readonly hsm: Pick<Hsm, 'ledgerKey' | 'sign'>
}

/**
 * Asks for this host's enrolment: the first step, on the host. Proves nothing but that it comes from whoever holds the ledger key.
 *
 * @param ledger the HostRegistry's domain
 * @param expires in seconds since the epoch
 * @throws TpmError, Pkcs11Error
 */
export async function requestEnrolment(
  { tpm, hsm }: HostDevices,
  ledger: Domain,
  expires: bigint,
): Promise<EnrolRequest> {
  const { public: ekPublic, certificate, intermediates } = await tpm.endorsementKey()
  const { public: akPublic } = await tpm.attestationKey()
  const { address: ledgerAddress } = await hsm.ledgerKey()
  const content = {
    ledger: { chainId: ledger.chainId, verifyingContract: ledger.verifyingContract.toLowerCase() as Hex },
    nonce: toHex(randomBytes(32)),
    expires,
    ekPublic: toHex(ekPublic),
    ekCertificate: toHex(certificate),
    intermediates: intermediates.map(toHex),
    akPublic: toHex(akPublic),
    ledgerAddress,
  }
  const signature = await hsm.sign({ kind: 'enrolmentRequest', requestHash: requestHashOf(content) })
  return { ...content, signature }
}
