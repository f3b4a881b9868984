import { randomBytes, timingSafeEqual } from 'node:crypto'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { verifyEndorsement, type Endorsement } from '../evidence/endorsement.ts'
import type { Hsm } from '../hsm/hsm.ts'
import { HOST_REGISTRY } from '../ledger/abi.ts'
import { quoteOnLedger } from '../ledger/commit.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import { registrationPayload } from '../record/binding.ts'
import { ledgerAddressClaimDigest } from '../record/claim.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { requireAttestationKey } from '../tcg/attestation-key.ts'
import { TcgError } from '../tcg/error.ts'
import { akQualifiedNameOf, nameOf } from '../tcg/name.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { decodePublic } from '../tcg/public.ts'
import { makeCredential } from '../tpm/make-credential.ts'
import type { Tpm } from '../tpm/tpm.ts'
import { anchoredQuote } from './anchored-quote.ts'
import { EnrolError } from './enrol-error.ts'

/** What an enrolment works with. The registrar trusts nothing that the TPM or the HSM says about itself. */
export interface Enrolment {
  readonly tpm: Pick<Tpm, 'endorsementKey' | 'attestationKey' | 'activateCredential' | 'quote'>
  readonly hsm: Pick<Hsm, 'ledgerKey' | 'signDigest'>
  readonly ledger: Ledger
  readonly registrar: DigestSigner
  /** DER certificates: roots and intermediates. */
  readonly trustAnchors: readonly Uint8Array[]
  /** SHA-256 fingerprints of those roots that belong to vendors of hardware. None by default: every host is *Software*. */
  readonly hardwareRoots?: ReadonlySet<Hex>
  /** What the registration's quote shows; any selection will do. */
  readonly selection: PcrSelection
}

/** A host as the ledger knows it. */
export interface EnrolledHost {
  readonly hostId: Hex
  readonly ledgerAddress: Hex
  readonly assurance: Endorsement['assurance']
  /** Whether it was registered now; else it had been before, with the same keys. */
  readonly registered: boolean
}

/**
 * Enrols this host: an EK that a trusted root vouches for, an AK that is shown to be in the same TPM, a quote that binds the
 * HSM's ledger address to that AK, and the ledger key's own consent.
 *
 * A host that the ledger knows with these very keys is returned as it is.
 *
 * @throws EnrolError; EvidenceError for the EK or the quote; TpmError, Pkcs11Error, LedgerError
 */
export async function enrolHost(enrolment: Enrolment): Promise<EnrolledHost> {
  const { tpm, hsm, ledger, trustAnchors, hardwareRoots } = enrolment
  const ek = await tpm.endorsementKey()
  const claim = { ekPublic: ek.public, ekCertificate: ek.certificate, trustAnchors, at: new Date() }
  const endorsement = await verifyEndorsement(hardwareRoots === undefined ? claim : { ...claim, hardwareRoots })
  const { public: akPublic } = await tpm.attestationKey()
  const akQualifiedName = suitableAk(akPublic)
  const { address } = await hsm.ledgerKey()
  const known = await knownHost(ledger, endorsement.hostId, toHex(akQualifiedName), address)
  if (known !== undefined) return known
  await proveSameTpm(tpm, ek.public, akPublic)
  await register(enrolment, { endorsement, ekPublic: ek.public, ekCertificate: ek.certificate, akPublic, address })
  const { hostId, assurance } = endorsement
  return { hostId, ledgerAddress: address, assurance, registered: true }
}

/** The SHA-256 part of its qualified name. */
function suitableAk(akPublic: Uint8Array): Uint8Array {
  try {
    requireAttestationKey(decodePublic(akPublic))
    return akQualifiedNameOf(akPublic)
  } catch (cause) {
    if (cause instanceof TcgError) throw new EnrolError('AK_UNSUITABLE', cause.message, { cause })
    throw cause
  }
}

async function knownHost(
  ledger: Ledger,
  hostId: Hex,
  akQualifiedName: Hex,
  address: Hex,
): Promise<EnrolledHost | undefined> {
  const host = await ledger.host(hostId)
  if (host.status === 'None' || host.assurance === 'None') {
    const other = await ledger.hostOf(address)
    if (other === ZERO_HASH) return undefined
    throw new EnrolError('ADDRESS_TAKEN', `the HSM's ledger address ${address} speaks for the host ${other}`)
  }
  if (host.akQualifiedName !== akQualifiedName) {
    throw new EnrolError('HOST_EXISTS', `${hostId} is registered with another attestation key`)
  }
  if (host.ledgerAddress !== address) {
    throw new EnrolError(
      'HOST_EXISTS',
      `${hostId} is registered with the ledger address ${host.ledgerAddress}, the HSM has ${address}`,
    )
  }
  return { hostId, ledgerAddress: address, assurance: host.assurance, registered: false }
}

/** Credential activation: only a TPM that holds both keys can open what is sealed to the EK for the AK's name. */
async function proveSameTpm(tpm: Enrolment['tpm'], ekPublic: Uint8Array, akPublic: Uint8Array): Promise<void> {
  const secret = new Uint8Array(randomBytes(32))
  const opened = await tpm.activateCredential(makeCredential(ekPublic, nameOf(akPublic), secret))
  if (opened.length !== secret.length || !timingSafeEqual(opened, secret)) {
    throw new EnrolError('CREDENTIAL_WRONG', 'the TPM did not open what was sealed to its EK for its AK')
  }
}

interface Registration {
  readonly endorsement: Endorsement
  readonly ekPublic: Uint8Array
  readonly ekCertificate: Uint8Array
  readonly akPublic: Uint8Array
  readonly address: Hex
}

async function register(enrolment: Enrolment, registration: Registration): Promise<void> {
  const { tpm, hsm, ledger, registrar, selection } = enrolment
  const { endorsement, ekPublic, ekCertificate, akPublic, address } = registration
  const { hostId, assurance } = endorsement
  const digest = ledgerAddressClaimDigest(ledger.domain('hostRegistry'), hostId, akPublic)
  const consent = await hsm.signDigest(fromHex(digest, 32))
  const { quote, anchorBlock } = await anchoredQuote(tpm, ledger, {
    purpose: 'register',
    contract: 'hostRegistry',
    hostId,
    payloadHash: registrationPayload(address, akPublic),
    selection,
    akQualifiedName: akQualifiedNameOf(akPublic),
  })
  const data = HOST_REGISTRY.encodeFunctionData('register', [
    { ekPublic, ekCertificate, ledgerAddress: address, assurance: ASSURANCE[assurance] },
    anchorBlock,
    quoteOnLedger(quote),
    consent,
  ]) as Hex
  await ledger.submit(registrar, { to: 'hostRegistry', data })
}

/** The numbers of the contract's enum. */
const ASSURANCE: Readonly<Record<Endorsement['assurance'], number>> = { Software: 1, Hardware: 2 }
