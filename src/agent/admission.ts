import { createHash } from 'node:crypto'
import { fromHex, toHex, type Hex } from '../core/bytes.ts'
import { signerOf, type Domain } from '../record/eip712.ts'
import { operationId } from '../record/hash.ts'
import type { SignedRequest } from '../record/parse.ts'
import { requestHash } from '../record/request.ts'
import { Refusal } from './refusal.ts'

/** What a host can be asked to do. */
export type OperationName = 'encrypt' | 'decrypt'

const OPERATIONS: ReadonlyMap<Hex, OperationName> = new Map(
  (['encrypt', 'decrypt'] as const).map((name) => [operationId(name), name]),
)

/** A request that is what it says: signed by `requester`, for this host, for this input, and not expired. */
export interface Admitted extends SignedRequest {
  readonly operation: OperationName
  readonly requestHash: Hex
  readonly requester: Hex
}

/** What a request is admitted by. */
export interface AdmissionPolicy {
  readonly hostId: Hex
  /** The audit log's. */
  readonly domain: Domain
  readonly maxInputBytes: number
}

/**
 * Step 1 but for replays, which the journal refuses.
 *
 * @param signed untrusted, but parsed
 * @param now seconds since the epoch
 * @throws Refusal
 */
export function admit(policy: AdmissionPolicy, signed: SignedRequest, input: Uint8Array, now: bigint): Admitted {
  const { request, signature, salt } = signed
  const hash = requestHash(policy.domain, request)
  const requester = signerOf(hash, signature)
  if (requester === undefined) {
    throw new Refusal('REQUEST_SIGNATURE_INVALID', 'the signature is not one over this request for this ledger')
  }
  if (request.hostId !== policy.hostId) {
    throw new Refusal('REQUEST_OTHER_HOST', `the request is for host ${request.hostId}; this is ${policy.hostId}`)
  }
  const operation = OPERATIONS.get(request.operationId)
  if (operation === undefined) {
    throw new Refusal('REQUEST_OPERATION_UNKNOWN', `this host has no operation ${request.operationId}`)
  }
  if (request.expiry < now) {
    throw new Refusal('REQUEST_EXPIRED', `the request expired at ${request.expiry.toString()}; it is ${now.toString()}`)
  }
  if (input.length > policy.maxInputBytes) throw inputTooLarge(policy.maxInputBytes)
  if (saltedInputHash(salt, input) !== request.inputHash) {
    throw new Refusal('REQUEST_INPUT_MISMATCH', 'the input with this salt does not have the inputHash that was signed')
  }
  return { ...signed, operation, requestHash: hash, requester }
}

export function inputTooLarge(maxInputBytes: number): Refusal {
  return new Refusal('INPUT_TOO_LARGE', `an input has at most ${maxInputBytes} bytes here`)
}

/** `hashInput` of src/record/hash.ts without its copy of the input, which may be plaintext. */
function saltedInputHash(salt: Hex, input: Uint8Array): Hex {
  return toHex(createHash('sha256').update('attestry/input/1').update(fromHex(salt, 32)).update(input).digest())
}
