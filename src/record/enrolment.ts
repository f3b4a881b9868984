import type { Hex } from '../core/bytes.ts'
import { structType, typedDigest, type Domain } from './eip712.ts'

const REQUEST_TYPE = structType('EnrolmentRequest', 'bytes32 requestHash')
const CHECK_TYPE = structType('EnrolmentCheck', 'bytes32 registrationHash')

/** What a host's ledger key signs to ask for its enrolment. The verifying contract is the HostRegistry. */
export function enrolmentRequestDigest(domain: Domain, requestHash: Hex): Hex {
  return typedDigest(domain, REQUEST_TYPE, { requestHash })
}

/** What signs whoever checked an enrolment for a registrar who did not. */
export function enrolmentCheckDigest(domain: Domain, registrationHash: Hex): Hex {
  return typedDigest(domain, CHECK_TYPE, { registrationHash })
}
