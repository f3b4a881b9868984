import type { Ledger } from '../ledger/ledger.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import type { PcrSelection } from '../tcg/pcr-selection.ts'
import { answerChallenge } from './answer-challenge.ts'
import { challengeHost } from './challenge-host.ts'
import { judgeAnswer } from './judge-answer.ts'
import type { EnrolledHost } from './known-host.ts'
import { registerHost } from './register-host.ts'
import { secondsOf, type EnrolTrust, type Registrar } from './registrar.ts'
import { requestEnrolment, type HostDevices } from './request-enrolment.ts'

/** What an enrolment works with where the registrar's key is at hand. */
export interface Enrolment extends HostDevices, EnrolTrust {
  readonly ledger: Ledger
  readonly registrar: DigestSigner
  /** What the registration's quote shows; any selection will do. */
  readonly selection: PcrSelection
}

/** Nothing waits for anybody in between. */
const LIFE_S = 600n

/**
 * Enrols this host: request, challenge, answer and registration, one after the other, as between two machines.
 *
 * A host that the ledger knows with these very keys is returned as it is.
 *
 * @throws EnrolError; EvidenceError for the EK or the quote; TpmError, Pkcs11Error, LedgerError
 */
export async function enrolHost(enrolment: Enrolment): Promise<EnrolledHost> {
  const { ledger } = enrolment
  const now = new Date()
  const expires = secondsOf(now) + LIFE_S
  const registrar: Registrar = { ledger, trust: enrolment, now }
  const request = await requestEnrolment(enrolment, ledger.domain('hostRegistry'), expires)
  const challenged = await challengeHost(registrar, request, expires)
  if (challenged.known !== undefined) return challenged.known
  const answer = await answerChallenge({ ...enrolment, now }, challenged.challenge)
  return registerHost(ledger, enrolment.registrar, await judgeAnswer(registrar, challenged.open, answer))
}
