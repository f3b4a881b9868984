import type { Hex } from '../core/bytes.ts'
import { CodedError } from '../core/error.ts'
import type { ReceiptGroup, Receipt } from './receipt.ts'
import type { OperationRecord } from './record.ts'
import type { OperationRequest } from './request.ts'
import type { InclusionPath } from './tree.ts'

/** JSON that is not what docs/formats.md says. */
export class FormatError extends CodedError<'FORMAT_INVALID'> {
  constructor(path: string, expected: string) {
    super('FORMAT_INVALID', `${path}: expected ${expected}`)
  }
}

/** What a customer sends beside its input: the request, its signature over it, and the salt of input and result. */
export interface SignedRequest {
  readonly request: OperationRequest
  /** 65 bytes r ‖ s ‖ v; not verified here. */
  readonly signature: Hex
  readonly salt: Hex
}

/** A tree over at most 2^32 leaves has no longer path. */
const MAX_PATH = 32

/** @param value untrusted, as JSON.parse gives it. @throws FormatError */
export function parseOperationRequest(value: unknown, path = 'request'): OperationRequest {
  const read = members(value, path, [
    'operationId',
    'dataId',
    'grantId',
    'inputHash',
    'hostId',
    'nonce',
    'expiry',
  ] as const)
  return {
    operationId: read('operationId', bytes(32)),
    dataId: read('dataId', bytes(32)),
    grantId: read('grantId', bytes(32)),
    inputHash: read('inputHash', bytes(32)),
    hostId: read('hostId', bytes(32)),
    nonce: read('nonce', bytes(32)),
    expiry: read('expiry', u64),
  }
}

/** @param value untrusted, as JSON.parse gives it. @throws FormatError */
export function parseSignedRequest(value: unknown, path = 'signed request'): SignedRequest {
  const read = members(value, path, ['request', 'signature', 'salt'] as const)
  return {
    request: read('request', parseOperationRequest),
    signature: read('signature', bytes(65)),
    salt: read('salt', bytes(32)),
  }
}

/** @param value untrusted, as JSON.parse gives it. @throws FormatError */
export function parseRecord(value: unknown, path = 'record'): OperationRecord {
  const read = members(value, path, [
    'hostId',
    'seq',
    'vmmHash',
    'operationId',
    'requester',
    'requestHash',
    'dataId',
    'grantId',
    'policyBlock',
    'dataHash',
    'resultHash',
    'status',
    'timestamp',
  ] as const)
  return {
    hostId: read('hostId', bytes(32)),
    seq: read('seq', u64),
    vmmHash: read('vmmHash', bytes(32)),
    operationId: read('operationId', bytes(32)),
    requester: read('requester', bytes(20)),
    requestHash: read('requestHash', bytes(32)),
    dataId: read('dataId', bytes(32)),
    grantId: read('grantId', bytes(32)),
    policyBlock: read('policyBlock', u64),
    dataHash: read('dataHash', bytes(32)),
    resultHash: read('resultHash', bytes(32)),
    status: read('status', integer(0, 0xffff)),
    timestamp: read('timestamp', u64),
  }
}

/** Says nothing about whether the receipt holds: `receiptFaults` does. @param value untrusted. @throws FormatError */
export function parseReceipt(value: unknown, path = 'receipt'): Receipt {
  const names = ['record', 'group', 'path', 'signature', 'request', 'requestSignature', 'salt'] as const
  const read = members(value, path, names)
  return {
    record: read('record', parseRecord),
    group: read('group', parseGroup),
    path: read('path', parsePath),
    signature: read('signature', bytes(65)),
    request: read('request', parseOperationRequest),
    requestSignature: read('requestSignature', bytes(65)),
    salt: read('salt', bytes(32)),
  }
}

function parseGroup(value: unknown, path: string): ReceiptGroup {
  const read = members(value, path, ['hostId', 'groupRoot', 'firstSeq', 'count', 'includeBy'] as const)
  return {
    hostId: read('hostId', bytes(32)),
    groupRoot: read('groupRoot', bytes(32)),
    firstSeq: read('firstSeq', u64),
    count: read('count', integer(1, 0xffffffff)),
    includeBy: read('includeBy', u64),
  }
}

function parsePath(value: unknown, path: string): InclusionPath {
  if (!Array.isArray(value) || value.length > MAX_PATH) throw new FormatError(path, `at most ${MAX_PATH} hashes`)
  return value.map((sibling, i) => bytes(32)(sibling, `${path}[${i}]`))
}

/** Reads one value; `path` says where it stands. @throws FormatError */
export type Parser<T> = (value: unknown, path: string) => T

/** Reads an object that has exactly the named members. @throws FormatError */
export function members<Name extends string>(
  value: unknown,
  path: string,
  names: readonly Name[],
): <T>(name: Name, parse: Parser<T>) => T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new FormatError(path, 'an object')
  const known: readonly string[] = names
  for (const name of Object.keys(value)) {
    // The name is untrusted: it is quoted, and no more of it than anybody needs to find it.
    if (!known.includes(name)) throw new FormatError(path, `no member ${JSON.stringify(name.slice(0, 40))}`)
  }
  const found = new Map<string, unknown>(Object.entries(value))
  return (name, parse) => {
    if (!found.has(name)) throw new FormatError(`${path}.${name}`, 'a value')
    return parse(found.get(name), `${path}.${name}`)
  }
}

/** Exactly so many bytes. */
export function bytes(length: number): Parser<Hex> {
  const pattern = new RegExp(`^0x[0-9a-f]{${2 * length}}$`)
  return (value, path) => {
    if (typeof value === 'string' && pattern.test(value)) return value as Hex
    throw new FormatError(path, `${length} bytes of lower-case hexadecimal with 0x in front`)
  }
}

/** A 64-bit number as a decimal string. @throws FormatError */
export function u64(value: unknown, path: string): bigint {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,19})$/.test(value)) {
    const number = BigInt(value)
    if (number < 2n ** 64n) return number
  }
  throw new FormatError(path, 'a 64-bit number as a decimal string')
}

/** A JSON number without a fraction, within bounds. */
export function integer(min: number, max: number): Parser<number> {
  return (value, path) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
    throw new FormatError(path, `a whole number from ${min} to ${max}`)
  }
}
