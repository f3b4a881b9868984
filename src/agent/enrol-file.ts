import { bytes, enrolFormat, list, object, u64 } from './enrol-format.ts'

const hash = bytes(32)
const address = bytes(20)
const signature = bytes(65)
const publicArea = bytes(1, 1024)
const certificate = bytes(1, 8192)
const attest = bytes(1, 1024)
const quoteSignature = bytes(1, 512)
const nameOfKey = bytes(34)
/** An EIP-712 domain: the HostRegistry's. */
const domain = object({ chainId: u64, verifyingContract: address })
const quote = object({ akPublic: publicArea, attest, signature: quoteSignature })

const requestContent = {
  ledger: domain,
  /** Of its own, so that two requests of one host are two. */
  nonce: hash,
  /** In seconds since the epoch, the last at which it counts; so in all the files. */
  expires: u64,
  ekPublic: publicArea,
  ekCertificate: certificate,
  intermediates: list(8, certificate),
  akPublic: publicArea,
  ledgerAddress: address,
}

/** Host to registrar: who the host says that it is, signed by its ledger key. */
export const ENROL_REQUEST = enrolFormat('request', { ...requestContent, signature })
export type EnrolRequest = ReturnType<typeof ENROL_REQUEST.parse>

/** Registrar to host: a secret that only the TPM with this EK and this AK can open; sealed by that secret. */
export const ENROL_CHALLENGE = enrolFormat('challenge', {
  ledger: domain,
  requestHash: hash,
  expires: u64,
  hostId: hash,
  akName: nameOfKey,
  ledgerAddress: address,
  credentialBlob: bytes(1, 256),
  encryptedSecret: bytes(1, 1024),
  seal: hash,
})
export type EnrolChallenge = ReturnType<typeof ENROL_CHALLENGE.parse>

/** Host to registrar: the quote and the ledger key's consent, sealed by the challenge's secret, which is not in it. */
export const ENROL_ANSWER = enrolFormat('answer', {
  requestHash: hash,
  challengeHash: hash,
  anchorBlock: u64,
  attest,
  quoteSignature,
  consent: signature,
  seal: hash,
})
export type EnrolAnswer = ReturnType<typeof ENROL_ANSWER.parse>

/**
 * Checker to registrar: what the ledger is to hold, signed by who checked it. The assurance is not in it: that is what
 * the registrar's own trust store says.
 */
export const ENROL_REGISTRATION = enrolFormat('registration', {
  ledger: domain,
  expires: u64,
  ekPublic: publicArea,
  ekCertificate: certificate,
  intermediates: list(8, certificate),
  ledgerAddress: address,
  anchorBlock: u64,
  quote,
  consent: signature,
  checkedBy: address,
  signature,
})
export type EnrolRegistration = ReturnType<typeof ENROL_REGISTRATION.parse>

/** The registrar's own, never passed on: whoever has it could answer without the TPM. */
export const OPEN_CHALLENGE = enrolFormat('state', {
  challengeHash: hash,
  /** What the answer is sealed with; the secret cannot be computed from it. */
  answerKey: hash,
  expires: u64,
  request: object({ ...requestContent, signature }),
})
export type OpenChallenge = ReturnType<typeof OPEN_CHALLENGE.parse>
