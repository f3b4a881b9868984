import type { Hex } from '../core/bytes.ts'
import { INTERFACES } from '../ledger/abi.ts'
import { decodeValues } from '../ledger/abi-value.ts'
import type { LedgerEvent } from '../ledger/event.ts'
import type { SentTransaction } from '../ledger/sent-transaction.ts'
import { stringify } from '../record/json.ts'
import type { AuditContext } from './audit-context.ts'
import type { FindingLog, Subject } from './finding-log.ts'

/** The call of a contract that gave rise to an event. */
export interface EventCall {
  /** Who signed the transaction. */
  readonly from: Hex
  /** The function's name. */
  readonly name: string
  /** By name, in Attestry's types. */
  readonly args: Readonly<Record<string, unknown>>
  /** The whole calldata. */
  readonly input: Hex
}

/** On whose word it is known who did something: a signature that was verified, or a contract that was called by another one. */
export type Authorship = 'signature' | 'contract'

/**
 * Fetches the transaction of an event, and reads its calldata as a call of the event's contract.
 *
 * @returns undefined where there is a finding; `indirect` where the transaction calls another contract, which called ours
 */
export async function callOf(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  event: LedgerEvent,
): Promise<EventCall | 'indirect' | undefined> {
  const transaction = await transactionOf(context, findings, subject, event)
  if (transaction === undefined) return undefined
  const { from, to, input } = transaction
  if (to !== context.ledger.deployment.contracts[event.contract].address) return 'indirect'
  return findings.attempt('CALLDATA_MALFORMED', subject, `transaction ${event.transactionHash}`, () => {
    const called = INTERFACES[event.contract].getFunction(input.slice(0, 10))
    if (called === null) throw new RangeError(`no function of ${event.contract} has the selector ${input.slice(0, 10)}`)
    return { from, name: called.name, args: decodeValues(called.inputs, `0x${input.slice(10)}`), input }
  })
}

/** As `callOf`, for what must be one certain function, called directly: anything else is a finding. */
export async function directCallOf(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  event: LedgerEvent,
  name: string,
): Promise<EventCall | undefined> {
  const call = await callOf(context, findings, subject, event)
  if (call === undefined) return undefined
  if (call !== 'indirect' && call.name === name) return call
  const found = call === 'indirect' ? 'a call of another contract' : call.name
  findings.add('CALLDATA_MALFORMED', subject, `transaction ${event.transactionHash}: expected ${name}, found ${found}`)
  return undefined
}

/**
 * Verifies that somebody made a call, with these arguments, and no other.
 *
 * @param names the functions that may give rise to the event
 */
export async function verifyActor(
  context: AuditContext,
  findings: FindingLog,
  subject: Subject,
  event: LedgerEvent,
  expected: {
    readonly names: readonly string[]
    readonly actor: Hex
    readonly args: Readonly<Record<string, unknown>>
  },
): Promise<Authorship> {
  const call = await callOf(context, findings, subject, event)
  if (call === 'indirect') return 'contract'
  if (call === undefined) return 'signature'
  if (!expected.names.includes(call.name)) {
    findings.add('CALLDATA_MALFORMED', subject, `expected ${expected.names.join(' or ')}, found ${call.name}`)
  } else {
    findings.same('SENDER_WRONG', subject, `sender of ${event.name}`, expected.actor, call.from)
    for (const [name, value] of Object.entries(expected.args)) {
      findings.same('CALLDATA_DIFFERS', subject, name, stringify(value), stringify(call.args[name]))
    }
  }
  return 'signature'
}

async function transactionOf(
  { ledger }: AuditContext,
  findings: FindingLog,
  subject: Subject,
  { transactionHash, blockNumber }: LedgerEvent,
): Promise<SentTransaction | undefined> {
  return findings.attempt('TRANSACTION_MISSING', subject, `transaction ${transactionHash}`, async () => {
    const transaction = await ledger.transaction(transactionHash)
    if (transaction === undefined) throw new RangeError('the node does not have it')
    if (transaction.blockNumber !== blockNumber) {
      const found = transaction.blockNumber?.toString() ?? 'none'
      throw new RangeError(`expected it in block ${blockNumber.toString()}, found ${found}`)
    }
    return transaction
  })
}
