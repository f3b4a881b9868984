import type { Hex } from '../core/bytes.ts'
import { messageOf } from '../core/error.ts'
import type { AuditCode } from './audit-code.ts'
import type { Finding } from './audit-report.ts'

/** What a finding is about. A record rests on all of them but other records, other batches and receipts of others. */
export type Subject =
  | { readonly kind: 'ledger' }
  | { readonly kind: 'host'; readonly hostId: Hex }
  | { readonly kind: 'vmm'; readonly vmmHash: Hex }
  | { readonly kind: 'data'; readonly dataId: Hex }
  | { readonly kind: 'grant'; readonly grantId: Hex }
  | { readonly kind: 'batch'; readonly hostId: Hex; readonly firstSeq: bigint }
  | { readonly kind: 'record'; readonly hostId: Hex; readonly seq: bigint }
  | { readonly kind: 'receipt'; readonly hostId: Hex; readonly seq: bigint }

/** The subject as a finding carries it. */
export function subjectText(subject: Subject): string {
  switch (subject.kind) {
    case 'ledger':
      return 'ledger'
    case 'host':
      return `host ${subject.hostId}`
    case 'vmm':
      return `vmm ${subject.vmmHash}`
    case 'data':
      return `data ${subject.dataId}`
    case 'grant':
      return `grant ${subject.grantId}`
    case 'batch':
      return `batch ${subject.hostId}/${subject.firstSeq.toString()}`
    case 'record':
    case 'receipt':
      return `${subject.kind} ${subject.hostId}/${subject.seq.toString()}`
  }
}

/** Gathers findings, in the order in which they are made, and knows which subjects they touch. */
export class FindingLog {
  readonly #findings: Finding[] = []
  readonly #subjects = new Set<string>()

  get findings(): readonly Finding[] {
    return this.#findings
  }

  add(code: AuditCode, subject: Subject, detail: string): void {
    const text = subjectText(subject)
    this.#findings.push({ code, subject: text, detail })
    this.#subjects.add(text)
  }

  /** Takes over another log's findings, behind its own. */
  include(other: FindingLog): void {
    this.#findings.push(...other.#findings)
    for (const subject of other.#subjects) this.#subjects.add(subject)
  }

  /** Adds a finding where two values differ. @returns whether they are the same */
  same(code: AuditCode, subject: Subject, what: string, expected: unknown, found: unknown): boolean {
    if (expected === found) return true
    this.add(code, subject, `${what}: expected ${String(expected)}, found ${String(found)}`)
    return false
  }

  /**
   * Runs a check whose failure is a finding: whatever it throws never leaves the audit without one.
   *
   * @param code of the finding, or what gives one for an error
   * @returns what the check returns, undefined where it threw
   */
  async attempt<T>(
    code: AuditCode | ((error: unknown) => AuditCode),
    subject: Subject,
    what: string,
    check: () => Promise<T> | T,
  ): Promise<T | undefined> {
    try {
      return await check()
    } catch (error) {
      this.add(typeof code === 'string' ? code : code(error), subject, `${what}: ${codeOf(error)}${messageOf(error)}`)
      return undefined
    }
  }

  /** Whether something was found against a subject. */
  touches(subject: Subject): boolean {
    return this.#subjects.has(subjectText(subject))
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : ''
}
