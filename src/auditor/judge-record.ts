import type { Hex } from '../core/bytes.ts'
import { ZERO_HASH } from '../record/hash.ts'
import { REASONS, reasonOf } from '../record/reason.ts'
import type { OperationRecord } from '../record/record.ts'
import { VERDICT_BITS, type Verdict } from '../record/verdict.ts'
import type { AuditCode } from './audit-code.ts'
import { checkAccess } from './check-access.ts'
import type { LedgerHistory } from './state.ts'

/** What a record is judged by, beside itself. */
export interface RecordSetting {
  /** The history up to the batch's transaction. */
  readonly history: LedgerHistory
  /** How often a grant counts as used before this record, with what the batch's earlier records claim. */
  readonly usesOf: (grantId: Hex) => bigint
  readonly blockNumber: bigint
  /** The block to which the batch's quote is bound. */
  readonly anchorBlock: bigint
  /** Seconds since the epoch: of the batch's block. */
  readonly blockTimestamp: bigint
  /** Of the block at which access was checked; undefined where that does not lie before the batch's. */
  readonly policyTimestamp: bigint | undefined
  /** What the batch's quote shows. */
  readonly provenVmmHash: Hex
  /** Whether that was authorised at its anchor, and is valid at the batch's time. */
  readonly isProvenAuthorised: boolean
  /** Verdicts that all records of the batch share. */
  readonly shared: readonly Verdict[]
  /** How far the record's time may be from that of its policy block. */
  readonly maxPolicyAgeS: bigint
}

/** What speaks against a record before its use of a grant is counted. */
export interface RecordVerdicts {
  readonly bits: readonly Verdict[]
  /** Whether it claims a use of its grant. */
  readonly isUse: boolean
}

export interface RecordJudgement {
  /** The byte that the contract must give it (docs/formats.md, "Verdict bits"). */
  readonly verdict: number
  /** What speaks against the host. */
  readonly findings: readonly { readonly code: AuditCode; readonly detail: string }[]
}

const TIMESTAMP_TOLERANCE_S = 3600n
/** In blocks: how long before the batch's anchor access may have been checked. */
const MAX_POLICY_AGE = 256n
/** The last code with which the policy denies; failures come after it. */
const LAST_DENIAL = REASONS.GRANT_ASSURANCE

/** The bits of a record that do not depend on how many uses its grant has left. */
export function verdictsOfRecord(record: OperationRecord, setting: RecordSetting): RecordVerdicts {
  const bits: Verdict[] = [...setting.shared, ...stateVerdicts(record, setting)]
  if (record.status !== REASONS.DONE) return { bits, isUse: false }
  const answer = unlimitedAnswer(record, setting)
  if (answer >= REASONS.DATA_UNKNOWN) bits.push('GRANT_INVALID')
  const isUse = answer === REASONS.DONE && record.grantId !== ZERO_HASH && isCounted(record, setting)
  return { bits, isUse }
}

/**
 * Judges one record twice: as the contract must have, and as an auditor does. A denied record under a VMM that nobody authorised
 * has the verdict VMM_UNKNOWN and is right behaviour; a done one is not.
 *
 * @param bits of `verdictsOfRecord`, and GRANT_OVERUSED where no use was left for it
 */
export function judgeRecord(
  record: OperationRecord,
  setting: RecordSetting,
  bits: readonly Verdict[],
): RecordJudgement {
  return {
    verdict: verdictByte(bits),
    findings: [...formFindings(record), ...timeFindings(record, setting), ...accessFindings(record, setting, bits)],
  }
}

/** Bits as the contract writes them. */
export function verdictByte(bits: readonly Verdict[]): number {
  return bits.reduce((byte, name) => byte | (1 << VERDICT_BITS.indexOf(name)), 0)
}

/** What the policy answers where no grant is ever used up. */
function unlimitedAnswer(record: OperationRecord, { history }: RecordSetting): number {
  return checkAccess(history, { ...record, asOf: record.policyBlock }, () => 0n)
}

function stateVerdicts(record: OperationRecord, setting: RecordSetting): readonly Verdict[] {
  const { history, blockNumber, blockTimestamp, provenVmmHash } = setting
  const bits: Verdict[] = []
  if (!history.vmmAuthorised(record.vmmHash, record.policyBlock, record.timestamp)) bits.push('VMM_UNKNOWN')
  if (record.vmmHash !== provenVmmHash) bits.push('VMM_UNPROVEN')
  const isFar = distance(record.timestamp, blockTimestamp) > TIMESTAMP_TOLERANCE_S
  if (isFar || record.policyBlock >= blockNumber || isStale(record, setting)) bits.push('TIMESTAMP_FAR')
  if (history.hostStatus(record.hostId, record.policyBlock) !== 'Active') bits.push('HOST_NOT_ACTIVE')
  return bits
}

/** Whether what a record does counts: nothing that was allowed long ago, nor by a VMM that it only names. */
function isCounted(record: OperationRecord, setting: RecordSetting): boolean {
  const isProven = record.vmmHash === setting.provenVmmHash || setting.isProvenAuthorised
  return isProven && !isStale(record, setting)
}

function isStale({ policyBlock }: OperationRecord, { anchorBlock }: RecordSetting): boolean {
  return policyBlock + MAX_POLICY_AGE < anchorBlock
}

type RecordFindings = RecordJudgement['findings']

function formFindings({ status, resultHash }: OperationRecord): RecordFindings {
  if (reasonOf(status) === undefined) return [{ code: 'STATUS_UNKNOWN', detail: `status ${status}` }]
  if ((status === REASONS.DONE) === (resultHash !== ZERO_HASH)) return []
  return [{ code: 'RESULT_HASH_WRONG', detail: `status ${nameOf(status)}, resultHash ${resultHash}` }]
}

function timeFindings(record: OperationRecord, setting: RecordSetting): RecordFindings {
  const { policyBlock, timestamp, status } = record
  const { blockNumber, blockTimestamp, policyTimestamp, maxPolicyAgeS } = setting
  if (policyBlock >= blockNumber || policyTimestamp === undefined) {
    const detail = `checked at block ${policyBlock.toString()}, committed in block ${blockNumber.toString()}`
    return [{ code: 'POLICY_BLOCK_FUTURE', detail }]
  }
  // What ends without a result may be put on record much later, at the agent's next start; nothing depends on when.
  if (status > LAST_DENIAL) return []
  const age = distance(timestamp, policyTimestamp)
  const late = distance(timestamp, blockTimestamp)
  const findings: { code: AuditCode; detail: string }[] = []
  if (age > maxPolicyAgeS) {
    const detail = `${age.toString()} s between the record and block ${policyBlock.toString()}, at most ${maxPolicyAgeS.toString()}`
    findings.push({ code: 'POLICY_BLOCK_STALE', detail })
  } else if (isStale(record, setting)) {
    const detail = `checked at block ${policyBlock.toString()}, anchored at ${setting.anchorBlock.toString()}`
    findings.push({ code: 'POLICY_BLOCK_STALE', detail })
  }
  if (late > TIMESTAMP_TOLERANCE_S) {
    findings.push({ code: 'TIMESTAMP_FAR', detail: `${late.toString()} s between the record and its block` })
  }
  return findings
}

function accessFindings(record: OperationRecord, setting: RecordSetting, bits: readonly Verdict[]): RecordFindings {
  const { status, policyBlock, vmmHash } = record
  const at = `at block ${policyBlock.toString()}`
  if (status === REASONS.DONE) {
    const findings: { code: AuditCode; detail: string }[] = []
    if (bits.includes('HOST_NOT_ACTIVE')) findings.push({ code: 'HOST_NOT_ACTIVE', detail: `not active ${at}` })
    if (bits.includes('VMM_UNKNOWN')) findings.push({ code: 'VMM_NOT_AUTHORISED', detail: `${vmmHash} ${at}` })
    if (bits.includes('VMM_UNPROVEN')) {
      const detail = `done under ${vmmHash}, the quote shows ${setting.provenVmmHash}`
      findings.push({ code: 'VMM_UNPROVEN', detail })
    }
    if (bits.includes('GRANT_OVERUSED')) findings.push({ code: 'GRANT_OVERUSED', detail: `grant ${record.grantId}` })
    if (bits.includes('GRANT_INVALID')) {
      findings.push({
        code: 'ACCESS_NOT_ALLOWED',
        detail: `done although ${nameOf(unlimitedAnswer(record, setting))} ${at}`,
      })
    }
    return findings
  }
  const { history, usesOf } = setting
  const answer = checkAccess(history, { ...record, asOf: policyBlock }, usesOf)
  const earlier = checkAccess(history, { ...record, asOf: policyBlock }, (grantId) =>
    history.usesAt(grantId, policyBlock),
  )
  if (status <= LAST_DENIAL) {
    // A host counts its own operations that are not committed yet: both counts of uses are a reason to deny.
    if (status === earlier || status === answer) return []
    return [{ code: 'DENIAL_UNFOUNDED', detail: `denied for ${nameOf(status)}, ${at} it was ${nameOf(earlier)}` }]
  }
  // An interrupted operation's time is that of the agent's next start, so its access cannot be asked for again.
  if (status === REASONS.INTERRUPTED || reasonOf(status) === undefined || earlier === REASONS.DONE) return []
  return [{ code: 'ACCESS_NOT_ALLOWED', detail: `begun (${nameOf(status)}) although ${nameOf(earlier)} ${at}` }]
}

function nameOf(status: number): string {
  return reasonOf(status) ?? `status ${status}`
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a
}
