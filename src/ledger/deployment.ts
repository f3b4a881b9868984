import { readFile } from 'node:fs/promises'
import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import { LedgerError } from './error.ts'

export const CONTRACT_NAMES = ['hostRegistry', 'vmmRegistry', 'accessPolicy', 'auditLog'] as const

export type ContractName = (typeof CONTRACT_NAMES)[number]

/** What a chain takes. */
export interface ChainProfile {
  /** 0: legacy, with a gas price (a GoQuorum takes no other). 2: EIP-1559. */
  readonly transactionType: 0 | 2
  /** The largest signed transaction: 131072 for geth and its like, 65536 for a GoQuorum. */
  readonly maxTransactionBytes: number
}

/** Who could do what when the contracts came to be. They change themselves afterwards, by decisions on the ledger. */
export interface FirstRoles {
  readonly registrars: readonly Hex[]
  readonly approvers: readonly Hex[]
  /** How many approvals make a decision. */
  readonly threshold: number
}

/** Where the four contracts are, and what their code is. Whoever trusts this file trusts the contracts in it. */
export interface Deployment {
  readonly chainId: bigint
  /** The block of the first contract: no event is older. */
  readonly block: bigint
  readonly profile: ChainProfile
  readonly roles: FirstRoles
  /** `codeHash` is keccak256 of the deployed code. */
  readonly contracts: Readonly<Record<ContractName, { readonly address: Hex; readonly codeHash: Hex }>>
}

const MAX_TEXT = 65_536
const MAX_TRANSACTION_BYTES = 1_048_576

/** Reads a deployment file. @throws LedgerError DEPLOYMENT_INVALID */
export async function readDeployment(path: string): Promise<Deployment> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new LedgerError('DEPLOYMENT_INVALID', `the deployment file cannot be read: ${messageOf(cause)}`, { cause })
  }
  try {
    return parseDeployment(text)
  } catch (cause) {
    throw new LedgerError('DEPLOYMENT_INVALID', `${path}: ${messageOf(cause)}`, { cause })
  }
}

/**
 * Parses a deployment file: JSON as `stringify` writes a `Deployment`, and nothing else in it.
 *
 * @param text untrusted
 * @throws LedgerError DEPLOYMENT_INVALID
 */
export function parseDeployment(text: string): Deployment {
  const root = members(json(text), 'deployment', ['chainId', 'block', 'profile', 'roles', 'contracts'])
  const profile = members(root['profile'], 'profile', ['transactionType', 'maxTransactionBytes'])
  const roles = members(root['roles'], 'roles', ['registrars', 'approvers', 'threshold'])
  const approvers = accounts(roles['approvers'], 'roles.approvers')
  const contracts = members(root['contracts'], 'contracts', CONTRACT_NAMES)
  const deployment: Deployment = {
    chainId: u64(root['chainId'], 'chainId'),
    block: u64(root['block'], 'block'),
    profile: {
      transactionType: transactionType(profile['transactionType']),
      maxTransactionBytes: number(profile['maxTransactionBytes'], MAX_TRANSACTION_BYTES, 'profile.maxTransactionBytes'),
    },
    roles: {
      registrars: accounts(roles['registrars'], 'roles.registrars'),
      approvers,
      threshold: number(roles['threshold'], approvers.length, 'roles.threshold'),
    },
    contracts: {
      hostRegistry: contract(contracts, 'hostRegistry'),
      vmmRegistry: contract(contracts, 'vmmRegistry'),
      accessPolicy: contract(contracts, 'accessPolicy'),
      auditLog: contract(contracts, 'auditLog'),
    },
  }
  const addresses = new Set(CONTRACT_NAMES.map((name) => deployment.contracts[name].address))
  if (addresses.size !== CONTRACT_NAMES.length) throw invalid('contracts', 'four different addresses')
  return deployment
}

function contract(contracts: Record<string, unknown>, name: ContractName): { address: Hex; codeHash: Hex } {
  const { address, codeHash } = members(contracts[name], name, ['address', 'codeHash'])
  return { address: bytes(address, 20, `${name}.address`), codeHash: bytes(codeHash, 32, `${name}.codeHash`) }
}

function json(text: string): unknown {
  try {
    if (text.length <= MAX_TEXT) return JSON.parse(text) as unknown
  } catch {
    // Told below: the parser's own message would repeat the file's content.
  }
  throw invalid('deployment', `JSON of at most ${MAX_TEXT} characters`)
}

function members(value: unknown, path: string, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(path, 'an object')
  const found = value as Record<string, unknown>
  for (const name of Object.keys(found)) {
    if (!names.includes(name)) throw invalid(path, `no member ${JSON.stringify(name.slice(0, 40))}`)
  }
  for (const name of names) if (!Object.hasOwn(found, name)) throw invalid(`${path}.${name}`, 'a value')
  return found
}

function u64(value: unknown, path: string): bigint {
  if (typeof value === 'string' && /^(?:0|[1-9][0-9]{0,19})$/.test(value) && BigInt(value) < 2n ** 64n) {
    return BigInt(value)
  }
  throw invalid(path, 'a 64-bit number as a decimal string')
}

function bytes(value: unknown, length: number, path: string): Hex {
  if (typeof value === 'string' && value.length === 2 + 2 * length && /^0x[0-9a-f]*$/.test(value)) return value as Hex
  throw invalid(path, `${length} bytes of lower-case hexadecimal with 0x in front`)
}

function transactionType(value: unknown): 0 | 2 {
  if (value === 0 || value === 2) return value
  throw invalid('profile.transactionType', '0 or 2')
}

function number(value: unknown, max: number, path: string): number {
  if (Number.isInteger(value) && Number(value) > 0 && Number(value) <= max) return Number(value)
  throw invalid(path, `a number from 1 to ${max}`)
}

function accounts(value: unknown, path: string): readonly Hex[] {
  const list = Array.isArray(value) ? value.map((one, i) => bytes(one, 20, `${path}[${i}]`)) : []
  if (list.length === 0 || new Set(list).size !== list.length) throw invalid(path, 'a list of different addresses')
  return list
}

function invalid(path: string, expected: string): LedgerError {
  return new LedgerError('DEPLOYMENT_INVALID', `${path}: expected ${expected}`)
}
