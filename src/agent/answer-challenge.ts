import { fromHex, toHex } from '../core/bytes.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { registrationPayload } from '../record/binding.ts'
import { sha256 } from '../record/hash.ts'
import { akQualifiedNameOf } from '../tcg/name.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { anchoredQuote } from './anchored-quote.ts'
import { dateOf } from './challenge-host.ts'
import { EnrolError } from './enrol-error.ts'
import type { EnrolAnswer, EnrolChallenge } from './enrol-file.ts'
import { answerSeal, challengeHashOf, challengeSeal, sealKey, sealsEqual } from './enrol-hash.ts'
import { daysOf, livesTooLong, MAX_CHALLENGE_LIFE_S } from './enrol-life.ts'
import { ledgerText, sameLedger, secondsOf } from './registrar.ts'
import type { HostDevices } from './request-enrolment.ts'

/** A host that answers. */
export interface ChallengedDevices extends HostDevices {
  readonly ledger: Ledger
  /** What the registration's quote shows; any selection will do. */
  readonly selection: PcrSelection
  readonly now: Date
}

/**
 * Answers a challenge: the third step, on the host. Opens the secret in the TPM and seals with it a quote that binds the HSM's
 * ledger address to the AK, and the ledger key's own consent. The secret itself leaves the host in no form.
 *
 * The answer counts while its anchor is among the ledger's last 256 blocks; the same challenge may be answered anew until it
 * expires.
 *
 * @param challenge untrusted
 * @throws EnrolError `CHALLENGE_…`; TpmError `CREDENTIAL_REFUSED` and others; EvidenceError, Pkcs11Error, LedgerError
 */
export async function answerChallenge(host: ChallengedDevices, challenge: EnrolChallenge): Promise<EnrolAnswer> {
  const { tpm, hsm, ledger, selection } = host
  const { public: akPublic } = await requireOurs(host, challenge)
  const { hostId, ledgerAddress, requestHash } = challenge
  const secret = await openSecret(host, challenge)
  const consent = await hsm.sign({ kind: 'addressClaim', hostId, akPublic })
  const { quote, anchorBlock } = await anchoredQuote(tpm, ledger, {
    purpose: 'register',
    contract: 'hostRegistry',
    hostId,
    payloadHash: registrationPayload(ledgerAddress, akPublic),
    selection,
    akQualifiedName: akQualifiedNameOf(akPublic),
  })
  const unsealed = {
    ...{ requestHash, challengeHash: challengeHashOf(challenge), anchorBlock },
    ...{ attest: toHex(quote.attest), quoteSignature: toHex(quote.signature), consent },
  }
  return { ...unsealed, seal: answerSeal(sealKey(secret, 'answer'), unsealed) }
}

/** Nothing is opened or signed for another host, another ledger, or too late. */
async function requireOurs(
  { tpm, hsm, ledger, now }: ChallengedDevices,
  challenge: EnrolChallenge,
): Promise<{ readonly public: Uint8Array }> {
  const here = ledger.domain('hostRegistry')
  if (!sameLedger(challenge.ledger, here)) {
    const found = `expected a challenge for ${ledgerText(here)}, found one for ${ledgerText(challenge.ledger)}`
    throw new EnrolError('CHALLENGE_OTHER_LEDGER', found)
  }
  if (challenge.expires < secondsOf(now)) {
    throw new EnrolError('CHALLENGE_EXPIRED', `the challenge counted until ${dateOf(challenge.expires)}`)
  }
  if (livesTooLong(challenge.expires, secondsOf(now), MAX_CHALLENGE_LIFE_S)) {
    const found = `expected one that counts for at most ${daysOf(MAX_CHALLENGE_LIFE_S)}, found ${dateOf(challenge.expires)}`
    throw new EnrolError('CHALLENGE_LIFE', found)
  }
  const hostId = sha256((await tpm.endorsementKey()).public)
  const ak = await tpm.attestationKey()
  const { address } = await hsm.ledgerKey()
  const ours = [
    ['host', hostId, challenge.hostId],
    ['attestation key', toHex(ak.name), challenge.akName],
    ['ledger address', address, challenge.ledgerAddress],
  ] as const
  for (const [what, own, theirs] of ours) {
    if (own === theirs) continue
    throw new EnrolError('CHALLENGE_OTHER_HOST', `this ${what} is ${own}, the challenge is for ${theirs}`)
  }
  return ak
}

async function openSecret({ tpm }: ChallengedDevices, challenge: EnrolChallenge): Promise<Uint8Array> {
  const { credentialBlob, encryptedSecret, seal } = challenge
  const secret = await tpm.activateCredential({
    credentialBlob: fromHex(credentialBlob),
    encryptedSecret: fromHex(encryptedSecret),
  })
  if (!sealsEqual(challengeSeal(sealKey(secret, 'challenge'), challenge), seal)) {
    throw new EnrolError('CHALLENGE_ALTERED', 'the challenge is not sealed by the secret in it')
  }
  return secret
}
