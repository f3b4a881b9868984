import { equal, toHex, type Hex } from '../core/bytes.ts'
import { endorsementTemplateOf, UNAMBIGUOUS_TEMPLATES } from '../tcg/endorsement-key.ts'
import type { TemplateName } from '../tcg/endorsement-template.ts'
import { TcgError } from '../tcg/error.ts'
import { sha256 } from '../tcg/hash.ts'
import { decodePublic, type TpmPublic } from '../tcg/public.ts'
import { parseCertificate, type Certificate } from './certificate.ts'
import { findPath } from './chain.ts'
import { endorsementFindings, type EndorsementFinding } from './endorsement-finding.ts'
import { EvidenceError, type EvidenceErrorCode } from './error.ts'
import { publicKeyInfoOf } from './public-key-info.ts'
import { parseRevocationList } from './revocation-list.ts'
import { checkRevocation, type RevocationResult, type RevocationRules } from './revocation.ts'
import { tpmIdentityOf, type TpmIdentity } from './tpm-vendor.ts'

/** An EK, its certificate, and what the certificate is held against. */
export interface EndorsementClaim {
  /** The EK's TPMT_PUBLIC. Untrusted. */
  readonly ekPublic: Uint8Array
  /** DER. Untrusted. */
  readonly ekCertificate: Uint8Array
  /** DER certificates that came with it. Untrusted: each is believed only by its own path to a root of the trust store. */
  readonly intermediates?: readonly Uint8Array[]
  /** DER certificates of the trust store: roots and intermediates. Never what the host sent. */
  readonly trustAnchors: readonly Uint8Array[]
  /** DER revocation lists of the trust store. Never what the host sent. */
  readonly revocationLists?: readonly Uint8Array[]
  /** What else is asked of revocation lists: see `RevocationRules`. */
  readonly revocation?: Omit<RevocationRules, 'lists'>
  /** The time for which everything must be valid. */
  readonly at: Date
  /** Fingerprints (SHA-256 of the DER) of the trust store's roots that belong to vendors of hardware. None by default. */
  readonly hardwareRoots?: ReadonlySet<Hex>
  /** The EK templates that are taken; see `UNAMBIGUOUS_TEMPLATES`, the default, for what others need. */
  readonly templates?: ReadonlySet<TemplateName>
}

/** What a certificate is held against: all of a claim but the key. */
export type CertificateClaim = Omit<EndorsementClaim, 'ekPublic' | 'templates'>

/** A TPM that a trusted root vouches for. */
export interface Endorsement extends EndorsedCertificate {
  /** SHA-256 of the EK's TPMT_PUBLIC. */
  readonly hostId: Hex
  readonly template: TemplateName
}

/** An EK certificate that a trusted root vouches for; of whose TPM is another question. */
export interface EndorsedCertificate {
  readonly assurance: 'Software' | 'Hardware'
  /** The names of the EK certificate and of the root. */
  readonly subject: string
  readonly root: string
  /** SHA-256 of the root's DER. */
  readonly rootFingerprint: Hex
  /** What the certificate says of the TPM; undefined where it names no manufacturer. */
  readonly tpm: TpmIdentity | undefined
  /** Of each certificate below the root, the EK's first. */
  readonly revocation: readonly RevocationResult[]
  /** What speaks against the TPM without making its certificate wrong. */
  readonly findings: readonly EndorsementFinding[]
}

/** tcg-kp-EKCertificate (TCG EK Credential Profile, "Extended Key Usage"). */
const EK_CERTIFICATE = '2.23.133.8.1'
/** What software TPMs say of themselves: libtpms and the TPM reference code name IBM by its PCI id, swtpm adds its model. */
const EMULATOR = { vendorId: '00001014', model: /swtpm/i }

/**
 * Verifies that a trusted root vouches for an EK: a key made by the TCG's template, the very key of an EK certificate, with a path
 * to a root, and nothing on that path revoked by the lists that there are.
 *
 * A host is *Hardware* only where the caller names its root as a hardware vendor's, the certificate names a manufacturer and no
 * known emulator, and no key of the path is one that can be computed (ROCA); otherwise *Software*.
 *
 * @throws EvidenceError `EK_UNSUITABLE`, `CERTIFICATE_…`, `TRUST_ANCHOR_MALFORMED`, `CHAIN_…`, `CRL_…`
 */
export async function verifyEndorsement(claim: EndorsementClaim): Promise<Endorsement> {
  const ekPublic = Uint8Array.from(claim.ekPublic)
  const { ek, template } = endorsementKeyOf(ekPublic, claim.templates)
  const certificate = ekCertificateOf(claim)
  if (!equal(certificate.publicKeyInfo, publicKeyInfoOf(ek))) {
    throw new EvidenceError('CERTIFICATE_OTHER_KEY', `the certificate of "${certificate.subject}" is not for this EK`)
  }
  return { ...(await endorse(certificate, claim)), hostId: toHex(sha256(ekPublic)), template }
}

/**
 * Verifies that a trusted root vouches for an EK certificate. Says nothing about any TPM: a certificate is public, and whoever
 * shows one need not hold its key.
 *
 * @throws EvidenceError as `verifyEndorsement`, but for the EK
 */
export async function verifyEkCertificate(claim: CertificateClaim): Promise<EndorsedCertificate> {
  return endorse(ekCertificateOf(claim), claim)
}

function ekCertificateOf({ ekCertificate }: CertificateClaim): Certificate {
  const certificate = certificateOf('CERTIFICATE_MALFORMED', ekCertificate)
  requireEkCertificate(certificate)
  return certificate
}

async function endorse(certificate: Certificate, claim: CertificateClaim): Promise<EndorsedCertificate> {
  const anchors = claim.trustAnchors.map((der) => certificateOf('TRUST_ANCHOR_MALFORMED', der))
  const intermediates = (claim.intermediates ?? []).map((der) => certificateOf('CERTIFICATE_MALFORMED', der))
  const lists = (claim.revocationLists ?? []).map(parseRevocationList)
  const path = await findPath(certificate, { anchors, intermediates }, claim.at)
  const revocation = await checkRevocation(path, { ...claim.revocation, lists }, claim.at)
  const root = path.at(-1)
  if (root === undefined) throw new RangeError('a path has two ends')
  const tpm = tpmIdentityOf(certificate.tpm)
  const findings = endorsementFindings(path, tpm)
  const computable = findings.some(({ code }) => code === 'ROCA_EK' || code === 'ROCA_AUTHORITY')
  const vendors = claim.hardwareRoots?.has(root.fingerprint) === true
  return {
    assurance: vendors && isHardware(certificate, tpm) && !computable ? 'Hardware' : 'Software',
    subject: certificate.subject,
    root: root.subject,
    rootFingerprint: root.fingerprint,
    tpm,
    revocation,
    findings,
  }
}

function isHardware({ tpm: { models } }: Certificate, tpm: TpmIdentity | undefined): boolean {
  return tpm !== undefined && tpm.vendorId !== EMULATOR.vendorId && !models.some((model) => EMULATOR.model.test(model))
}

function endorsementKeyOf(
  ekPublic: Uint8Array,
  templates = UNAMBIGUOUS_TEMPLATES,
): { readonly ek: TpmPublic; readonly template: TemplateName } {
  try {
    const ek = decodePublic(ekPublic)
    return { ek, template: endorsementTemplateOf(ek, templates) }
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

function requireEkCertificate({ authority, extendedKeyUsage, keyUsage, rsaModulus }: Certificate): void {
  if (authority !== undefined) throw new EvidenceError('CERTIFICATE_USAGE', 'an EK certificate is no authority')
  if (extendedKeyUsage !== undefined && !extendedKeyUsage.includes(EK_CERTIFICATE)) {
    const found = extendedKeyUsage.join(', ')
    throw new EvidenceError('CERTIFICATE_USAGE', `expected the usage ${EK_CERTIFICATE}, found ${found}`)
  }
  const usage = rsaModulus === undefined ? 'keyAgreement' : 'keyEncipherment'
  if (keyUsage?.[usage] !== true) throw new EvidenceError('CERTIFICATE_USAGE', `expected the key usage ${usage}`)
}
