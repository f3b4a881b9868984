import type { EnrolledHost } from '../agent/known-host.ts'

/** What a step of an enrolment wrote, and the next one, on another machine. */
export function fileLines(path: string, where: string, next: string): string {
  return `written to ${path}\nnext, ${where}: attestry host ${next}`
}

/** A host that is on the ledger, and since when, in words. */
export function enrolledWords({ registered, hostId, ledgerAddress, assurance }: EnrolledHost): string {
  const words = registered ? 'entered on the ledger' : 'enrolled with these very keys already; nothing was written'
  return [...hostLines({ hostId, ledgerAddress, assurance }), words].join('\n')
}

/** A host in lines. */
export function hostLines({ hostId, ledgerAddress, assurance }: Omit<EnrolledHost, 'registered'>): readonly string[] {
  return [`host      ${hostId}`, `address   ${ledgerAddress}`, `assurance ${assurance}`]
}
