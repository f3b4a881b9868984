import { randomBytes } from 'node:crypto'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { signerOf } from '../record/eip712.ts'
import { enrolmentRequestDigest } from '../record/enrolment.ts'
import { nameOf } from '../tcg/name.ts'
import { makeCredential } from '../tpm/make-credential.ts'
import { EnrolError } from './enrol-error.ts'
import type { EnrolChallenge, EnrolRequest, OpenChallenge } from './enrol-file.ts'
import { challengeHashOf, challengeSeal, requestHashOf, sealKey } from './enrol-hash.ts'
import { daysOf, livesTooLong, MAX_CHALLENGE_LIFE_S, MAX_REQUEST_LIFE_S } from './enrol-life.ts'
import { knownHost, type EnrolledHost } from './known-host.ts'
import { endorsementOf, ledgerText, sameLedger, secondsOf, type Registrar } from './registrar.ts'

/** A host to be challenged, or one that needs no more. */
export type ChallengedHost =
  | { readonly known: EnrolledHost }
  | {
      readonly known?: undefined
      readonly hostId: Hex
      readonly assurance: EnrolledHost['assurance']
      /** For the host. */
      readonly challenge: EnrolChallenge
      /** For the registrar alone, who takes one answer to it. */
      readonly open: OpenChallenge
    }

/**
 * Challenges the TPM that a request names: the second step, at the registrar. Its EK must have a certificate that leads to a
 * trusted root; only a TPM that holds that EK and the named AK can then open the secret.
 *
 * A host that the ledger knows with these very keys is recognised, and not challenged.
 *
 * @param request untrusted
 * @param expires of the challenge, in seconds since the epoch; at most `MAX_CHALLENGE_LIFE_S` from now
 * @throws EnrolError `ENROL_REQUEST_…`, `AK_UNSUITABLE`, `HOST_EXISTS`, `ADDRESS_TAKEN`; EvidenceError for the EK; LedgerError
 */
export async function challengeHost(
  registrar: Registrar,
  request: EnrolRequest,
  expires: bigint,
): Promise<ChallengedHost> {
  const { ledger, now } = registrar
  const requestHash = requestHashOf(request)
  requireRequest(registrar, request, requestHash)
  const { hostId, assurance } = await endorsementOf(registrar, request)
  const akPublic = fromHex(request.akPublic)
  const { ledgerAddress } = request
  const known = await knownHost(ledger, { hostId, akPublic, ledgerAddress })
  if (known !== undefined) return { known }
  const nowS = secondsOf(now)
  if (expires <= nowS || expires > nowS + MAX_CHALLENGE_LIFE_S) {
    throw new RangeError(`expected an expiry in the future, and within ${daysOf(MAX_CHALLENGE_LIFE_S)}`)
  }
  const secret = new Uint8Array(randomBytes(32))
  const akName = nameOf(akPublic)
  const { credentialBlob, encryptedSecret } = makeCredential(fromHex(request.ekPublic), akName, secret)
  const unsealed = {
    ...{ ledger: request.ledger, requestHash, expires, hostId, akName: toHex(akName), ledgerAddress },
    ...{ credentialBlob: toHex(credentialBlob), encryptedSecret: toHex(encryptedSecret) },
  }
  const challenge = { ...unsealed, seal: challengeSeal(sealKey(secret, 'challenge'), unsealed) }
  const open = { challengeHash: challengeHashOf(challenge), answerKey: sealKey(secret, 'answer'), expires, request }
  return { hostId, assurance, challenge, open }
}

function requireRequest({ ledger, now }: Registrar, request: EnrolRequest, requestHash: Hex): void {
  const here = ledger.domain('hostRegistry')
  if (!sameLedger(request.ledger, here)) {
    const found = `expected a request for ${ledgerText(here)}, found one for ${ledgerText(request.ledger)}`
    throw new EnrolError('ENROL_REQUEST_OTHER_LEDGER', found)
  }
  const signer = signerOf(enrolmentRequestDigest(here, requestHash), request.signature)
  if (signer !== request.ledgerAddress) {
    const found = signer ?? 'none'
    const expected = request.ledgerAddress
    throw new EnrolError('ENROL_REQUEST_ALTERED', `expected the request signed by ${expected}, found ${found}`)
  }
  if (request.expires < secondsOf(now)) {
    throw new EnrolError('ENROL_REQUEST_EXPIRED', `the request counted until ${dateOf(request.expires)}`)
  }
  // A registrar remembers each request until it expires.
  if (livesTooLong(request.expires, secondsOf(now), MAX_REQUEST_LIFE_S)) {
    const found = `expected a request that counts for at most ${daysOf(MAX_REQUEST_LIFE_S)}, found ${dateOf(request.expires)}`
    throw new EnrolError('ENROL_REQUEST_LIFE', found)
  }
}

/** A time in words. @param seconds untrusted: may be beyond every date */
export function dateOf(seconds: bigint): string {
  return seconds < 8_640_000_000_000n ? new Date(Number(seconds) * 1000).toISOString() : `second ${seconds}`
}
