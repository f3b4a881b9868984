import type { CertificatePath } from './chain.ts'
import { advisoriesFor } from './firmware-advisories.ts'
import { isRocaModulus } from './roca.ts'
import type { TpmIdentity } from './tpm-vendor.ts'

/**
 * What speaks against a TPM whose certificate is right.
 *
 * - `ROCA_EK`: the EK's private key can be computed from its public one (CVE-2017-15361)
 * - `ROCA_AUTHORITY`: the same of a key that issued certificates of the path
 * - `FIRMWARE_KNOWN_BAD`: an advisory is out for the firmware that the certificate names; an update does not change the certificate
 * - `VENDOR_UNKNOWN`: the certificate names a manufacturer that is in no registry
 */
export interface EndorsementFinding {
  readonly code: 'ROCA_EK' | 'ROCA_AUTHORITY' | 'FIRMWARE_KNOWN_BAD' | 'VENDOR_UNKNOWN'
  readonly detail: string
}

/** What speaks against a TPM, by the keys on its path and by what its certificate says of it. */
export function endorsementFindings(
  path: CertificatePath,
  tpm: TpmIdentity | undefined,
): readonly EndorsementFinding[] {
  return [...weakKeys(path), ...(tpm === undefined ? [] : weaknessesOf(tpm))]
}

function weakKeys(path: CertificatePath): readonly EndorsementFinding[] {
  return path.flatMap(({ rsaModulus, subject }, index) => {
    if (rsaModulus === undefined || !isRocaModulus(rsaModulus)) return []
    const detail = `the RSA key of "${subject}" can be computed from its public part (CVE-2017-15361)`
    return [{ code: index === 0 ? 'ROCA_EK' : 'ROCA_AUTHORITY', detail } as const]
  })
}

function weaknessesOf(tpm: TpmIdentity): readonly EndorsementFinding[] {
  const unknown = { code: 'VENDOR_UNKNOWN', detail: `no registry has the TPM vendor id ${tpm.vendorId}` } as const
  const { major, minor } = tpm.firmware ?? { major: 0, minor: 0 }
  const advisories = advisoriesFor(tpm).map(({ id, weakness, fixedIn }) => {
    const detail = `${tpm.vendor ?? tpm.vendorId} firmware ${major}.${minor}: ${weakness} (${id}), fixed in ${fixedIn}`
    return { code: 'FIRMWARE_KNOWN_BAD', detail } as const
  })
  return tpm.vendor === undefined ? [unknown, ...advisories] : advisories
}
