import type { Hex } from '../core/bytes.ts'
import type { Domain } from './eip712.ts'
import { GRANT_TYPE, type Grant } from './grant.ts'
import { FormatError, bytes, integer, members, u64, type Parser } from './parse.ts'

/** A grant with its grantor's signature, for anybody to enter (docs/formats.md, "Signed grants and approvals"). */
export interface SignedGrant {
  /** The AccessPolicy's domain. */
  readonly domain: Domain
  readonly grant: Grant
  readonly grantor: Hex
  /** 65 bytes r ‖ s ‖ v, or whatever a grantor that is a contract takes for its signature; not verified here. */
  readonly signature: Hex
}

/** A contract's idea of a signature has no bound of its own. */
const MAX_SIGNATURE = 4096

/** As JSON has it. */
export function signedGrantJson({ domain, grant, grantor, signature }: SignedGrant): object {
  return { chainId: domain.chainId, accessPolicy: domain.verifyingContract, grant, grantor, signature }
}

/** @param value untrusted, as JSON.parse gives it. @throws FormatError */
export function parseSignedGrant(value: unknown, path = 'signed grant'): SignedGrant {
  const read = members(value, path, ['chainId', 'accessPolicy', 'grant', 'grantor', 'signature'] as const)
  return {
    domain: { chainId: read('chainId', u64), verifyingContract: read('accessPolicy', bytes(20)) },
    grant: read('grant', parseGrant),
    grantor: read('grantor', bytes(20)),
    signature: read('signature', signatureBytes),
  }
}

/** A signature of whatever length: what it is worth, the contract says. @throws FormatError */
export const signatureBytes: Parser<Hex> = (value, path) => {
  const isBytes =
    typeof value === 'string' && value.length <= 2 + 2 * MAX_SIGNATURE && /^0x(?:[0-9a-f]{2})*$/.test(value)
  if (isBytes) return value as Hex
  throw new FormatError(path, `at most ${MAX_SIGNATURE} bytes of lower-case hexadecimal with 0x in front`)
}

function parseGrant(value: unknown, path: string): Grant {
  const read = members(
    value,
    path,
    GRANT_TYPE.fields.map(({ name }) => name as keyof Grant),
  )
  return {
    dataId: read('dataId', bytes(32)),
    grantee: read('grantee', bytes(20)),
    operationId: read('operationId', bytes(32)),
    notBefore: read('notBefore', u64),
    notAfter: read('notAfter', u64),
    maxUses: read('maxUses', u64),
    vmmHash: read('vmmHash', bytes(32)),
    hostId: read('hostId', bytes(32)),
    minAssurance: read('minAssurance', integer(0, 255)),
    delegationDepth: read('delegationDepth', integer(0, 255)),
    parent: read('parent', bytes(32)),
    salt: read('salt', bytes(32)),
  }
}
