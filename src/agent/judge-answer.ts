import { fromHex, type Hex } from '../core/bytes.ts'
import { verifyQuote, type SignedQuote } from '../evidence/quote.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { qualifyingData, registrationPayload } from '../record/binding.ts'
import { ledgerAddressClaimDigest } from '../record/claim.ts'
import { signerOf } from '../record/eip712.ts'
import { sha256 } from '../record/hash.ts'
import { dateOf } from './challenge-host.ts'
import { EnrolError } from './enrol-error.ts'
import type { EnrolAnswer, EnrolRegistration, OpenChallenge } from './enrol-file.ts'
import { answerSeal, sealsEqual } from './enrol-hash.ts'
import { knownHost, suitableAk, type EnrolledHost } from './known-host.ts'
import { endorsementOf, secondsOf, type Registrar } from './registrar.ts'

/** A host that proved all that the ledger is to hold of it. Made by `judgeAnswer` and `judgeRegistration` alone. */
export interface ProvenHost extends Pick<
  EnrolRegistration,
  'ekPublic' | 'ekCertificate' | 'intermediates' | 'ledgerAddress' | 'anchorBlock' | 'quote' | 'consent'
> {
  readonly hostId: Hex
  readonly assurance: EnrolledHost['assurance']
  /** The last second at which its registration counts. */
  readonly expires: bigint
}

/** A host to be registered, or one that needs no more. */
export type JudgedHost = { readonly known: EnrolledHost } | { readonly known?: undefined; readonly proven: ProvenHost }

/** The contracts know the hashes of so many blocks below the one that a transaction stands in (EVM, BLOCKHASH). */
const ANCHOR_BLOCKS = 256n

type Late = 'ANSWER_EXPIRED' | 'REGISTRATION_EXPIRED'

/** What the host does then. A checker takes one answer to a challenge. */
export const REMEDY: Readonly<Record<Late, string>> = {
  ANSWER_EXPIRED: 'answer the challenge again with "attestry host answer"',
  REGISTRATION_EXPIRED: 'begin again with "attestry host request"',
}

/**
 * Judges an answer against the challenge that it belongs to: the registrar's part of the fourth step. Nothing that was judged when
 * the challenge was made is taken for granted.
 *
 * @param answer untrusted
 * @param open the registrar's own
 * @throws EnrolError `CHALLENGE_UNKNOWN`, `CHALLENGE_EXPIRED`, `ANSWER_…`, `CONSENT_WRONG`, `HOST_EXISTS`, `ADDRESS_TAKEN`;
 *   EvidenceError for EK and quote; LedgerError
 */
export async function judgeAnswer(registrar: Registrar, open: OpenChallenge, answer: EnrolAnswer): Promise<JudgedHost> {
  requireSeal(open, answer)
  if (open.expires < secondsOf(registrar.now)) {
    throw new EnrolError('CHALLENGE_EXPIRED', `the challenge counted until ${dateOf(open.expires)}`)
  }
  const { request, expires } = open
  const { akPublic } = request
  const { anchorBlock, attest, quoteSignature, consent } = answer
  const shown = { ...request, anchorBlock, consent, quote: { akPublic, attest, signature: quoteSignature } }
  return judgeShown(registrar, { ...shown, expires }, 'ANSWER_EXPIRED')
}

/**
 * The host that an answer enrolled, where its registrar did not live to see it: of a challenge that was used, however old.
 *
 * @param answer untrusted
 * @param used the registrar's own
 * @returns undefined where the ledger does not have the host
 * @throws EnrolError `CHALLENGE_UNKNOWN`, `ANSWER_UNPROVEN`, `HOST_EXISTS`, `ADDRESS_TAKEN`; LedgerError
 */
export async function enrolledBy(
  ledger: Ledger,
  used: OpenChallenge,
  answer: EnrolAnswer,
): Promise<EnrolledHost | undefined> {
  requireSeal(used, answer)
  const { ekPublic, akPublic, ledgerAddress } = used.request
  return knownHost(ledger, { hostId: sha256(fromHex(ekPublic)), akPublic: fromHex(akPublic), ledgerAddress })
}

/**
 * Judges all that the ledger will judge, and who vouches for the TPM.
 *
 * @param shown untrusted
 * @param late what to say where the anchor is too old
 */
export async function judgeShown(
  registrar: Registrar,
  shown: Omit<ProvenHost, 'hostId' | 'assurance'>,
  late: Late,
): Promise<JudgedHost> {
  const { ledger } = registrar
  const { ekPublic, ekCertificate, intermediates, ledgerAddress, anchorBlock, quote, consent, expires } = shown
  const { hostId, assurance } = await endorsementOf(registrar, shown)
  const akPublic = fromHex(quote.akPublic)
  const known = await knownHost(ledger, { hostId, akPublic, ledgerAddress })
  if (known !== undefined) return { known }
  await requireAnchor(ledger, anchorBlock, late)
  const payloadHash = registrationPayload(ledgerAddress, akPublic)
  const signed = { akPublic, attest: fromHex(quote.attest), signature: fromHex(quote.signature) }
  await requireQuote(ledger, signed, { hostId, payloadHash, anchorBlock })
  const claim = ledgerAddressClaimDigest(ledger.domain('hostRegistry'), hostId, akPublic)
  const signer = signerOf(claim, consent)
  if (signer !== ledgerAddress) {
    throw new EnrolError(
      'CONSENT_WRONG',
      `expected the consent of ${ledgerAddress}, found that of ${signer ?? 'nobody'}`,
    )
  }
  const identity = { hostId, ekPublic, ekCertificate, intermediates, ledgerAddress, assurance }
  return { proven: { ...identity, anchorBlock, quote, consent, expires } }
}

function requireSeal(challenge: OpenChallenge, answer: EnrolAnswer): void {
  if (answer.challengeHash !== challenge.challengeHash) {
    throw new EnrolError('CHALLENGE_UNKNOWN', `${answer.challengeHash} is no challenge of this registrar`)
  }
  if (!sealsEqual(answerSeal(challenge.answerKey, answer), answer.seal)) {
    throw new EnrolError('ANSWER_UNPROVEN', 'the answer is not sealed by the secret of its challenge')
  }
}

async function requireAnchor(ledger: Ledger, anchorBlock: bigint, late: Late): Promise<void> {
  const { number } = await ledger.latestBlock()
  // The transaction will stand in the next block, or later.
  if (anchorBlock + ANCHOR_BLOCKS <= number) {
    const found = `the quote is anchored to block ${anchorBlock}, the ledger is at ${number}`
    throw new EnrolError(late, `${found}: expected one of the last ${ANCHOR_BLOCKS}; ${REMEDY[late]}`)
  }
}

async function requireQuote(
  ledger: Ledger,
  quote: SignedQuote,
  { hostId, payloadHash, anchorBlock }: Readonly<{ hostId: Hex; payloadHash: Hex; anchorBlock: bigint }>,
): Promise<void> {
  const { hash: anchorBlockHash } = await ledger.blockAt(anchorBlock)
  const { chainId, verifyingContract: contract } = ledger.domain('hostRegistry')
  const data = qualifyingData({ purpose: 'register', chainId, contract, hostId, payloadHash, anchorBlockHash })
  await verifyQuote(quote, suitableAk(quote.akPublic), data)
}
