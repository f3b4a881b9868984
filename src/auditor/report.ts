import { AUDIT_CODES } from './audit-code.ts'
import type { AuditReport, Finding, HostReport } from './audit-report.ts'

const WIDTH = 80
const LABEL = 12

/**
 * An audit's report as text for people, 80 columns wide but for identifiers that are longer: findings first, then each host, what
 * was checked against what, and what was not covered.
 */
export function reportText(report: AuditReport): string {
  return [
    headline(report),
    '',
    ...row(
      'ledger',
      `chain ${report.chainId.toString()}, blocks ${report.blocks.from.toString()} to ${report.blocks.to.toString()}`,
    ),
    ...row('trust', report.trustStatement),
    ...row('operations', `${report.operations} on the ledger, ${report.verified} verified`),
    ...row(
      'vmms',
      `${report.vmms.proposed} proposed, ${report.vmms.authorised} authorised now, ${report.vmms.revoked} revoked`,
    ),
    ...row('grants', `${report.grants.granted}, of them ${report.grants.revoked} revoked`),
    ...row('receipts', report.receipts === 0 ? 'none given' : `${report.receipts} held against the ledger`),
    ...section('Findings', report.findings.flatMap(findingLines)),
    ...report.hosts.flatMap(hostLines),
    ...section(
      'Checked',
      CHECKED.flatMap(([what, against]) => row(what, against)),
    ),
    ...section(
      'Not covered',
      report.notCovered.flatMap((sentence) => wrap(sentence, '- ', '  ')),
    ),
    '',
  ].join('\n')
}

const CHECKED: readonly (readonly [string, string])[] = [
  ['contracts', 'chain id and code hashes, against the deployment file'],
  ['hosts', 'EK certificate chain, against the trust store; EK, AK, quote and ledger key, against the registration'],
  ['vmms', 'quotes and approvals, against the host’s AK, the approvers and their threshold'],
  ['batches', 'sender, order, head, tree, quote, freshness, PCRs, TPM clock and counter'],
  ['records', 'status, times, and access as the policy stood at that block, replayed from the events'],
  ['state', 'what the events add up to, against what the contracts say now'],
]

function headline({ ok, findings, operations, verified }: AuditReport): string {
  if (ok) return `AUDIT PASSED: all ${operations} operations verified, no findings`
  const word = findings.length === 1 ? 'finding' : 'findings'
  return `AUDIT FAILED: ${findings.length} ${word}, ${verified} of ${operations} operations verified`
}

function findingLines({ code, subject, detail }: Finding): readonly string[] {
  return [`${code}: ${subject}`, ...wrap(`${AUDIT_CODES[code]}.`, '    ', '    '), ...wrap(detail, '    ', '    ')]
}

function hostLines(host: HostReport): readonly string[] {
  const { done, denied, failed, operations, verified, batches } = host
  return section(`Host ${host.hostId}`, [
    ...row('assurance', host.assurance),
    ...row('TPM', host.subject === '' ? 'its certificate does not hold' : host.subject),
    ...row('address', `${host.ledgerAddress}, registered in block ${host.registeredAt.toString()}`),
    ...row('operations', `${operations} in ${batches} batches: ${done} done, ${denied} denied, ${failed} failed`),
    ...row('verified', `${verified} of ${operations}`),
    ...row('PCRs', host.pcrSelections.length === 0 ? 'no quote' : host.pcrSelections.join('; ')),
    ...row('head', host.head),
  ])
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${line}`)]
}

function row(label: string, text: string): readonly string[] {
  return wrap(text, label.padEnd(LABEL), ' '.repeat(LABEL))
}

/** Breaks text at spaces; a word that is too long stands whole on a line of its own. */
function wrap(text: string, first: string, next: string): readonly string[] {
  const width = WIDTH - 2
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of printable(text).split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line)
      line = next
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return [...lines, line]
}

/** Certificates and nodes write into these texts: no control character of theirs reaches a terminal. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '?')
}
