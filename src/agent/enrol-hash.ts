import { createHmac, timingSafeEqual } from 'node:crypto'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { sha256 } from '../record/hash.ts'
import { ENROL_ANSWER, ENROL_CHALLENGE, ENROL_REGISTRATION, ENROL_REQUEST } from './enrol-file.ts'
import type { EnrolAnswer, EnrolChallenge, EnrolRegistration, EnrolRequest } from './enrol-file.ts'

const NO_HASH: Hex = `0x${'00'.repeat(32)}`
const NO_SIGNATURE: Hex = `0x${'00'.repeat(65)}`

/** What a request is known by: SHA-256 of its text with a signature of zeros. */
export function requestHashOf(request: Omit<EnrolRequest, 'signature'>): Hex {
  return hashOf(ENROL_REQUEST.encode({ ...request, signature: NO_SIGNATURE }))
}

/** What a registration's checker signs: SHA-256 of its text with a signature of zeros. */
export function registrationHashOf(registration: Omit<EnrolRegistration, 'signature'>): Hex {
  return hashOf(ENROL_REGISTRATION.encode({ ...registration, signature: NO_SIGNATURE }))
}

/** SHA-256 of a challenge's text. */
export function challengeHashOf(challenge: EnrolChallenge): Hex {
  return hashOf(ENROL_CHALLENGE.encode(challenge))
}

/** The seals of a challenge and of its answer have a key each, so that neither can stand for the other. */
export function sealKey(secret: Uint8Array, of: 'challenge' | 'answer'): Hex {
  return toHex(createHmac('sha256', secret).update(`attestry/enrol-${of}/1`).digest())
}

/** HMAC-SHA256 over the challenge's text with a seal of zeros. */
export function challengeSeal(key: Hex, challenge: Omit<EnrolChallenge, 'seal'>): Hex {
  return seal(key, ENROL_CHALLENGE.encode({ ...challenge, seal: NO_HASH }))
}

/** HMAC-SHA256 over the answer's text with a seal of zeros. */
export function answerSeal(key: Hex, answer: Omit<EnrolAnswer, 'seal'>): Hex {
  return seal(key, ENROL_ANSWER.encode({ ...answer, seal: NO_HASH }))
}

/** Whether two seals are the same; in constant time. */
export function sealsEqual(a: Hex, b: Hex): boolean {
  return timingSafeEqual(fromHex(a, 32), fromHex(b, 32))
}

function seal(key: Hex, text: string): Hex {
  return toHex(createHmac('sha256', fromHex(key, 32)).update(text).digest())
}

function hashOf(text: string): Hex {
  return sha256(new TextEncoder().encode(text))
}
