import type { Hex } from '../core/bytes.ts'
import { signerOf, type Domain } from '../record/eip712.ts'
import { receiptFaults, type Receipt } from '../record/receipt.ts'
import type { OperationRecord } from '../record/record.ts'
import { requestHash } from '../record/request.ts'
import type { FindingLog, Subject } from './finding-log.ts'
import type { Replayed } from './replay.ts'

/**
 * What became of a receipt: its record is on the ledger as promised, or not yet; or in a batch that was committed by its root alone,
 * so that the ledger cannot say; or the promise is broken.
 */
export type ReceiptOutcome = 'kept' | 'pending' | 'anchored' | 'broken'

/**
 * Holds a customer's receipt against the ledger: who asked, what the host promised, and what it committed.
 *
 * @param receipt untrusted, but parsed
 * @param domain the AuditLog's
 * @param latestBlock the audit's last block
 */
export function verifyReceipt(
  findings: FindingLog,
  { history, logs }: Replayed,
  receipt: Receipt,
  domain: Domain,
  latestBlock: bigint,
): ReceiptOutcome {
  const { record, group } = receipt
  const { hostId, seq } = record
  const subject: Subject = { kind: 'receipt', hostId, seq }
  const host = history.hosts.get(hostId)
  if (host === undefined) {
    findings.add('RECEIPT_INVALID', subject, `host ${hostId} is not registered`)
    return 'broken'
  }
  // An address stays answerable for what it signed. Where none signed, the faults are those under the present one.
  const faults = host.addresses
    .map((address) => receiptFaults(domain, receipt, address))
    .reduce((best, some) => (some.length <= best.length ? some : best))
  for (const fault of faults) findings.add('RECEIPT_INVALID', subject, fault)
  verifyRequest(findings, subject, receipt, domain)

  const committed = logs.get(hostId)?.records.get(seq)
  if (committed === undefined) {
    if (logs.get(hostId)?.isAnchored(seq) === true) return faults.length === 0 ? 'anchored' : 'broken'
    if (latestBlock <= group.includeBy) return 'pending'
    const detail = `promised by block ${group.includeBy.toString()}, not there at block ${latestBlock.toString()}`
    findings.add('RECORD_OMITTED', subject, detail)
    return 'broken'
  }
  const differences = differencesOf(record, committed.record)
  if (differences.length > 0) {
    // A promise that holds makes the host's own record on the ledger the doubtful one.
    const about: Subject = faults.length === 0 ? { kind: 'record', hostId, seq } : subject
    findings.add('RECORD_DIFFERS', about, differences.join('; '))
    return 'broken'
  }
  if (committed.blockNumber > group.includeBy) {
    const detail = `promised by block ${group.includeBy.toString()}, in block ${committed.blockNumber.toString()}`
    findings.add('RECORD_LATE', subject, detail)
    return 'broken'
  }
  return faults.length === 0 ? 'kept' : 'broken'
}

function verifyRequest(findings: FindingLog, subject: Subject, receipt: Receipt, domain: Domain): void {
  const { record, request, requestSignature } = receipt
  const hash = requestHash(domain, request)
  const requester = signerOf(hash, requestSignature)
  findings.same('REQUEST_SIGNATURE_INVALID', subject, 'signer of the request', record.requester, requester)
  const pairs: readonly (readonly [string, Hex, Hex])[] = [
    ['requestHash', hash, record.requestHash],
    ['operationId', request.operationId, record.operationId],
    ['dataId', request.dataId, record.dataId],
    ['grantId', request.grantId, record.grantId],
    ['dataHash', request.inputHash, record.dataHash],
    ['hostId', request.hostId, record.hostId],
  ]
  for (const [name, expected, found] of pairs) findings.same('REQUEST_DIFFERS', subject, name, expected, found)
}

function differencesOf(promised: OperationRecord, committed: OperationRecord): readonly string[] {
  const names = Object.keys(committed) as (keyof OperationRecord)[]
  return names
    .filter((name) => promised[name] !== committed[name])
    .map((name) => `${name}: the receipt says ${String(promised[name])}, the ledger ${String(committed[name])}`)
}
