import 'reflect-metadata'
import type { HostDevices } from '../../src/agent/request-enrolment.ts'
import { publicKeyInfoOf } from '../../src/evidence/public-key-info.ts'
import { decodePublic } from '../../src/tcg/public.ts'
import { issueFor, type Authority } from '../evidence/authority.ts'

/** Around the present: the ledger's blocks are of now. */
export const VALID = {
  notBefore: new Date(Date.now() - 90 * 86_400_000),
  notAfter: new Date(Date.now() + 90 * 86_400_000),
}

/** A TPM whose RSA EK another maker vouches for; the certificate's serial number is 0x33. */
export function certifiedBy(vendor: Authority, tpm: HostDevices['tpm']): HostDevices['tpm'] {
  return {
    endorsementKey: async () => {
      const shown = await tpm.endorsementKey()
      const info = Uint8Array.from(publicKeyInfoOf(decodePublic(shown.public)))
      const algorithm = { name: 'RSA-OAEP', hash: 'SHA-256' }
      const key = await crypto.subtle.importKey('spki', info, algorithm, true, ['encrypt'])
      return { ...shown, intermediates: [], certificate: await issueFor(key, vendor, { ...VALID, serialNumber: '33' }) }
    },
    attestationKey: () => tpm.attestationKey(),
    activateCredential: (challenge) => tpm.activateCredential(challenge),
    quote: (selection, qualifyingData) => tpm.quote(selection, qualifyingData),
  }
}
