import { fromHex, type Hex } from '../core/bytes.ts'
import type { DigestSigner } from '../ledger/signer.ts'
import { signerOf, type Domain } from '../record/eip712.ts'
import { enrolmentCheckDigest } from '../record/enrolment.ts'
import { dateOf } from './challenge-host.ts'
import { EnrolError } from './enrol-error.ts'
import type { EnrolRegistration } from './enrol-file.ts'
import { registrationHashOf } from './enrol-hash.ts'
import { daysOf, livesTooLong, MAX_CHALLENGE_LIFE_S } from './enrol-life.ts'
import { judgeShown, REMEDY, type JudgedHost, type ProvenHost } from './judge-answer.ts'
import { ledgerText, sameLedger, secondsOf, type Registrar } from './registrar.ts'

/**
 * Signs that a host proved itself, for a registrar who keeps the key elsewhere. That EK and AK are in one TPM was proven to the
 * checker alone: the signature is all that the registrar has for it.
 */
export async function signRegistration(
  checker: DigestSigner,
  ledger: Domain,
  proven: ProvenHost,
): Promise<EnrolRegistration> {
  const content = {
    ...proven,
    ledger: { chainId: ledger.chainId, verifyingContract: ledger.verifyingContract.toLowerCase() as Hex },
    checkedBy: checker.address,
  }
  const digest = enrolmentCheckDigest(content.ledger, registrationHashOf(content))
  return { ...content, signature: await checker.signDigest(fromHex(digest, 32)) }
}

/**
 * Judges what a checker signed: who checked it, and again everything that can be judged without the challenge. The assurance is
 * what this registrar's trust store says, whatever the checker's said.
 *
 * @param registration untrusted
 * @param checker the address of whom the registrar believes
 * @throws EnrolError `REGISTRATION_…`, and as `judgeAnswer`
 */
export async function judgeRegistration(
  registrar: Registrar,
  registration: EnrolRegistration,
  checker: Hex,
): Promise<JudgedHost> {
  const here = registrar.ledger.domain('hostRegistry')
  if (!sameLedger(registration.ledger, here)) {
    const found = `expected a registration for ${ledgerText(here)}, found one for ${ledgerText(registration.ledger)}`
    throw new EnrolError('REGISTRATION_OTHER_LEDGER', found)
  }
  const signer = signerOf(enrolmentCheckDigest(here, registrationHashOf(registration)), registration.signature)
  if (signer !== checker) {
    throw new EnrolError('REGISTRATION_ALTERED', `expected it signed by ${checker}, found ${signer ?? 'nobody'}`)
  }
  if (registration.expires < secondsOf(registrar.now)) {
    const found = `it counted until ${dateOf(registration.expires)}`
    throw new EnrolError('REGISTRATION_EXPIRED', `${found}; ${REMEDY.REGISTRATION_EXPIRED}`)
  }
  if (livesTooLong(registration.expires, secondsOf(registrar.now), MAX_CHALLENGE_LIFE_S)) {
    const until = dateOf(registration.expires)
    throw new EnrolError('REGISTRATION_LIFE', `expected one of at most ${daysOf(MAX_CHALLENGE_LIFE_S)}, found ${until}`)
  }
  return judgeShown(registrar, registration, 'REGISTRATION_EXPIRED')
}
