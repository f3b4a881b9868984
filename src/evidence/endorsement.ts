import { equal, toHex, type Hex } from '../core/bytes.ts'
import { requireEndorsementKey } from '../tcg/endorsement-key.ts'
import { TcgError } from '../tcg/error.ts'
import { sha256 } from '../tcg/hash.ts'
import { decodePublic, type TpmPublic } from '../tcg/public.ts'
import { parseCertificate, type Certificate } from './certificate.ts'
import { findPath, type CertificatePath } from './chain.ts'
import { EvidenceError, type EvidenceErrorCode } from './error.ts'
import { publicKeyInfoOf } from './public-key-info.ts'

/** An EK, its certificate, and what the certificate is held against. */
export interface EndorsementClaim {
  /** The EK's TPMT_PUBLIC. Untrusted. */
  readonly ekPublic: Uint8Array
  /** DER. Untrusted. */
  readonly ekCertificate: Uint8Array
  /** DER certificates of the trust store: roots and intermediates. Never what the host sent. */
  readonly trustAnchors: readonly Uint8Array[]
  /** The time for which everything must be valid. */
  readonly at: Date
  /** Fingerprints (SHA-256 of the DER) of the trust store's roots that belong to vendors of hardware. None by default. */
  readonly hardwareRoots?: ReadonlySet<Hex>
}

/** A TPM that a trusted root vouches for. */
export interface Endorsement {
  /** SHA-256 of the EK's TPMT_PUBLIC. */
  readonly hostId: Hex
  readonly assurance: 'Software' | 'Hardware'
  /** The names of the EK certificate and of the root. */
  readonly subject: string
  readonly root: string
  /** SHA-256 of the root's DER. */
  readonly rootFingerprint: Hex
  /** What the EK certificate says of the TPM's maker: `id:` and the vendor's identifier. */
  readonly manufacturers: readonly string[]
}

/** tcg-kp-EKCertificate (TCG EK Credential Profile, "Extended Key Usage"). */
const EK_CERTIFICATE = '2.23.133.8.1'
/** What software TPMs say of themselves: libtpms and the TPM reference code name IBM by its PCI id, swtpm adds its model. */
const EMULATOR = { manufacturer: 'id:00001014', model: /swtpm/i }

/**
 * Verifies that a trusted root vouches for an EK: a key made by the TCG's template, the very key of an EK certificate, with a path
 * to a root. Revocation lists are not consulted.
 *
 * A host is *Hardware* only where the caller names its root as a hardware vendor's and the certificate names a manufacturer and no
 * known emulator; otherwise *Software*.
 *
 * @throws EvidenceError `EK_UNSUITABLE`, `CERTIFICATE_…`, `TRUST_ANCHOR_MALFORMED`, `CHAIN_…`
 */
export async function verifyEndorsement(claim: EndorsementClaim): Promise<Endorsement> {
  const ekPublic = Uint8Array.from(claim.ekPublic)
  const ek = endorsementKeyOf(ekPublic)
  const certificate = certificateOf('CERTIFICATE_MALFORMED', claim.ekCertificate)
  const anchors = claim.trustAnchors.map((der) => certificateOf('TRUST_ANCHOR_MALFORMED', der))
  requireEkCertificate(certificate, ek)
  if (!equal(certificate.publicKeyInfo, publicKeyInfoOf(ek))) {
    throw new EvidenceError('CERTIFICATE_OTHER_KEY', `the certificate of "${certificate.subject}" is not for this EK`)
  }
  const path = await findPath(certificate, anchors, claim.at)
  return endorsement(ekPublic, path, claim.hardwareRoots ?? new Set())
}

function endorsement(ekPublic: Uint8Array, path: CertificatePath, hardwareRoots: ReadonlySet<Hex>): Endorsement {
  const [certificate] = path
  const root = path.at(-1)
  if (certificate === undefined || root === undefined) throw new RangeError('a path has two ends')
  return {
    hostId: toHex(sha256(ekPublic)),
    assurance: hardwareRoots.has(root.fingerprint) && isHardware(certificate) ? 'Hardware' : 'Software',
    subject: certificate.subject,
    root: root.subject,
    rootFingerprint: root.fingerprint,
    manufacturers: certificate.tpm.manufacturers,
  }
}

function isHardware({ tpm: { manufacturers, models } }: Certificate): boolean {
  const emulated = manufacturers.includes(EMULATOR.manufacturer) || models.some((model) => EMULATOR.model.test(model))
  return manufacturers.length > 0 && !emulated
}

function endorsementKeyOf(ekPublic: Uint8Array): TpmPublic {
  try {
    return requireEndorsementKey(decodePublic(ekPublic))
  } catch (cause) {
    if (cause instanceof TcgError) throw new EvidenceError('EK_UNSUITABLE', cause.message, { cause })
    throw cause
  }
}

function certificateOf(code: EvidenceErrorCode, der: Uint8Array): Certificate {
  try {
    return parseCertificate(der)
  } catch (cause) {
    // Whatever a parser of foreign bytes throws means the same thing.
    throw new EvidenceError(code, 'expected an X.509 certificate in DER', { cause })
  }
}

function requireEkCertificate({ authority, extendedKeyUsage, keyUsage }: Certificate, ek: TpmPublic): void {
  if (authority !== undefined) throw new EvidenceError('CERTIFICATE_USAGE', 'an EK certificate is no authority')
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.includes(EK_CERTIFICATE)) {
    const found = extendedKeyUsage.join(', ')
    throw new EvidenceError('CERTIFICATE_USAGE', `expected the usage ${EK_CERTIFICATE}, found ${found}`)
  }
  const usage = ek.type === 'rsa' ? 'keyEncipherment' : 'keyAgreement'
  if (keyUsage?.[usage] !== true) throw new EvidenceError('CERTIFICATE_USAGE', `expected the key usage ${usage}`)
}
